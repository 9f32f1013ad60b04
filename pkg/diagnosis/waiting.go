package diagnosis

import (
	"fmt"
	"slices"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// checkWaiting finds pods and migrations that do not continue.
func (i *Installation) checkWaiting() Results {
	return Results{i.checkGates(), i.checkMigrations(), i.checkUninjected(), i.checkLostFields()}
}

// checkGates finds pods that wait for kongdao, and that nothing will start.
func (i *Installation) checkGates() Result {
	const id = "gated-pods"
	var waiting, stuck []string
	for p := range i.Pods {
		pod := &i.Pods[p]
		isGated := slices.ContainsFunc(pod.Gates, func(gate string) bool {
			return gate == annotations.MigrationsGate || gate == annotations.LibraryGate
		})
		if !isGated {
			continue
		}
		waiting = append(waiting, pod.Namespace+"/"+pod.Name)
		if i.deployment("controller") == nil {
			stuck = append(stuck, pod.Namespace+"/"+pod.Name)
		}
	}
	switch {
	case len(stuck) > 0:
		return Result{id, Failed, fmt.Sprintf("%s for kongdao, but no controller runs: %s",
			verb(len(stuck), "pod waits", "pods wait"), names(stuck)),
			"install the controller, or start the pods with \"kubectl kongdao ungate\""}
	case len(waiting) > 0:
		return Result{id, Warning, fmt.Sprintf("%s for kongdao: %s",
			verb(len(waiting), "pod waits", "pods wait"), names(waiting)),
			"run \"kubectl kongdao explain pod/NAME\" to see why"}
	}
	return Result{id, OK, "no pod waits for kongdao", ""}
}

func (i *Installation) checkMigrations() Result {
	const id = "migrations"
	installed := Installed{Migrations: i.Migrations}
	stopped := installed.migrationsIn(v1alpha1.PhaseFailed, v1alpha1.PhaseHeld)
	if len(stopped) > 0 {
		return Result{id, Failed, fmt.Sprintf("%s: %s",
			verb(len(stopped), "migration failed or is held", "migrations failed or are held"), names(stopped)),
			"run \"kubectl kongdao logs NAME\" to see Kong's words, and \"kubectl kongdao migration\" to continue"}
	}
	return Result{id, OK, "no migration failed or is held", ""}
}

// checkUninjected finds pods that request plugins and do not have them.
func (i *Installation) checkUninjected() Result {
	const id = "uninjected-pods"
	var found []string
	for p := range i.Pods {
		if pod := &i.Pods[p]; pod.Plugins != "" && !pod.IsInjected {
			found = append(found, pod.Namespace+"/"+pod.Name)
		}
	}
	if len(found) > 0 {
		return Result{id, Failed, fmt.Sprintf("%s without a call of the webhook: %s",
			verb(len(found), "pod requests plugins, but was created", "pods request plugins, but were created"), names(found)),
			"replace these pods"}
	}
	return Result{id, OK, "all pods that request plugins have them", ""}
}

func (i *Installation) checkLostFields() Result {
	const id = "lost-fields"
	if len(i.LostFields) > 0 {
		return Result{id, Failed, "another program removed what kongdao had injected from these pods: " + names(i.LostFields),
			"find the webhook or the controller that changes these pods: \"kubectl get mutatingwebhookconfigurations\""}
	}
	return Result{id, OK, "no program removes what kongdao injects", ""}
}
