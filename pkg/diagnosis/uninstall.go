package diagnosis

import (
	"fmt"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// Installed is what an uninstallation affects, in all namespaces.
type Installed struct {
	// GatedPods have a scheduling gate of kongdao. Requesting are the workloads that request plugins, or whose pods have
	// plugins. Sources and Copies are ConfigMaps. All are "namespace/name".
	GatedPods, Requesting, Sources, Copies []string
	Migrations                             []v1alpha1.PluginMigration
	Policies                               []string
}

// Uninstall finds what waits for kongdao, and what stays after it is uninstalled.
func Uninstall(installed Installed) Results {
	results := Results{installed.gatedPods(), installed.runningMigrations(), installed.pendingMigrations()}
	return append(results, installed.workloads(), installed.policies(), installed.leftovers())
}

func (i *Installed) gatedPods() Result {
	if len(i.GatedPods) == 0 {
		return Result{"gated-pods", OK, "no pod waits for kongdao", ""}
	}
	return Result{"gated-pods", Failed,
		fmt.Sprintf("%s for kongdao, and would never start: %s",
			verb(len(i.GatedPods), "pod waits", "pods wait"), names(i.GatedPods)),
		"wait for their migrations with \"kubectl kongdao wait\", or start them with \"kubectl kongdao ungate\"",
	}
}

// migrationsIn returns the names of the migrations in certain phases.
func (i *Installed) migrationsIn(phases ...v1alpha1.Phase) []string {
	var found []string
	for m := range i.Migrations {
		migration := &i.Migrations[m]
		for _, phase := range phases {
			if migration.Status.Phase == phase {
				found = append(found, migration.Namespace+"/"+migration.Name)
			}
		}
	}
	return found
}

func (i *Installed) runningMigrations() Result {
	running := i.migrationsIn(v1alpha1.PhaseMigrating, v1alpha1.PhaseFinishing)
	if len(running) == 0 {
		return Result{"running-migrations", OK, "no migration runs", ""}
	}
	return Result{"running-migrations", Failed,
		fmt.Sprintf("%s: %s", verb(len(running), "migration runs", "migrations run"), names(running)),
		"wait until they end with \"kubectl kongdao wait\""}
}

func (i *Installed) pendingMigrations() Result {
	pending := i.migrationsIn(v1alpha1.PhaseMigrated)
	if len(pending) == 0 {
		return Result{"pending-migrations", OK, "no migration is pending", ""}
	}
	return Result{"pending-migrations", Warning,
		fmt.Sprintf("%s not finished: %s", verb(len(pending), "migration is", "migrations are"), names(pending)),
		"without kongdao, run \"kong migrations finish\" yourself after the last old pod is gone"}
}

func (i *Installed) workloads() Result {
	if len(i.Requesting) == 0 {
		return Result{"workloads", OK, "no workload requests plugins", ""}
	}
	return Result{"workloads", Warning,
		fmt.Sprintf("%s plugins: %s. Running pods keep them, but new pods start without",
			verb(len(i.Requesting), "workload requests or has", "workloads request or have"), names(i.Requesting)),
		"remove the plugins from Kong and the annotation kongdao.io/plugins from the workloads, or mount the plugins " +
			"yourself: \"kubectl kongdao inject\" writes such manifests"}
}

func (i *Installed) policies() Result {
	if len(i.Policies) == 0 {
		return Result{"policies", OK, "there are no PluginPolicies", ""}
	}
	return Result{"policies", Warning,
		fmt.Sprintf("%s without effect: %s", verb(len(i.Policies), "PluginPolicy is then", "PluginPolicies are then"),
			names(i.Policies)),
		"delete them, or keep them for the next installation"}
}

func (i *Installed) leftovers() Result {
	if len(i.Sources)+len(i.Copies)+len(i.Migrations) == 0 {
		return Result{"leftovers", OK, "nothing is left over", ""}
	}
	return Result{"leftovers", Warning,
		fmt.Sprintf("these objects stay: %s with plugins, %s of them, %s", count(len(i.Sources), "ConfigMap"),
			copies(len(i.Copies)), count(len(i.Migrations), "PluginMigration")),
		"running pods mount the ConfigMaps: delete these only after the pods. Delete the CustomResourceDefinitions to " +
			"delete all PluginMigrations and PluginPolicies"}
}

func copies(number int) string {
	if number == 1 {
		return "1 copy"
	}
	return fmt.Sprintf("%d copies", number)
}

// verb formats a number with the singular or plural of a noun and its verb: "1 pod waits", "2 pods wait".
func verb(number int, singular, plural string) string {
	if number == 1 {
		return "1 " + singular
	}
	return fmt.Sprintf("%d %s", number, plural)
}
