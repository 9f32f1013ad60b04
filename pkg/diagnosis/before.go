package diagnosis

import "fmt"

// Right is a permission that the installation needs.
type Right struct {
	Verb, Group, Resource string
	Allowed               bool
}

// CheckBefore checks a cluster before the installation.
func CheckBefore(i Installation, rights []Right) Results {
	results := append(Results{i.checkKubernetes()}, i.checkReadable()...)
	var missing []string
	for _, right := range rights {
		if !right.Allowed {
			missing = append(missing, right.Verb+" "+right.Resource)
		}
	}
	if len(missing) > 0 {
		results = append(results, Result{"rights", Failed,
			fmt.Sprintf("you may not create what the installation needs: %s", names(missing)),
			"install with the rights of a cluster administrator"})
	} else {
		results = append(results, Result{"rights", OK, "you may create what the installation needs", ""})
	}
	return append(results, i.checkOthers(), i.checkLeftGates())
}

// checkOthers finds another installation, or what is left of one.
func (i *Installation) checkOthers() Result {
	const id = "other-installations"
	var found []string
	for _, r := range i.registered(podsWebhook) {
		found = append(found, r.configuration)
	}
	switch {
	case len(found) > 0 && i.deployment("webhook") != nil:
		return Result{id, Warning, "kongdao is installed already: MutatingWebhookConfiguration " + names(found),
			"run \"kubectl kongdao check\" without --pre, or upgrade the installation"}
	case len(found) > 0:
		return Result{id, Failed, "an uninstalled kongdao has left MutatingWebhookConfiguration " + names(found) +
			": pods that request plugins cannot be created", "delete it, or install with the same release name"}
	}
	return Result{id, OK, "there is no other installation", ""}
}

// checkLeftGates finds pods that an uninstalled kongdao has left with gates.
func (i *Installation) checkLeftGates() Result {
	result := i.checkGates()
	if result.Status == Failed {
		result.Hint = "kongdao continues with them after the installation, or start them with \"kubectl kongdao ungate\""
		result.Status = Warning
	}
	return result
}
