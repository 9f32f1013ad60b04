package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/repair"
)

// fieldOwner is the name under which the API server records the changes of this program.
const fieldOwner = client.FieldOwner("kubectl-kongdao")

// actor changes objects as a person requests, after a confirmation.
type actor struct {
	streams   genericiooptions.IOStreams
	client    client.Client
	namespace string
	// dryRun shows what would happen. yes answers all questions.
	dryRun, yes bool
}

func (a *actor) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&a.dryRun, "dry-run", false, "Show what would happen, and change nothing")
	flags.BoolVarP(&a.yes, "yes", "y", false, "Do not ask for confirmation")
}

// act applies an action to an object. The label names the object in messages: `pod "kong-1"`.
func (a *actor) act(ctx context.Context, object client.Object, label string, action repair.Action) error {
	if a.dryRun {
		if err := a.apply(ctx, object, action, true); err != nil {
			return err
		}
		fmt.Fprintf(a.streams.Out, "%s: %s (dry run)\n", label, action.Effect)
		return nil
	}
	if action.Risk != "" && !a.yes {
		if err := a.confirm(ctx, label, action.Risk); err != nil {
			return err
		}
	}
	if err := a.apply(ctx, object, action, false); err != nil {
		return err
	}
	fmt.Fprintf(a.streams.Out, "%s: %s\n", label, action.Effect)
	return nil
}

// apply changes the object, unless it is another object of the same name by now.
func (a *actor) apply(ctx context.Context, object client.Object, action repair.Action, dryRun bool) error {
	var err error
	switch {
	case action.Delete:
		options := []client.DeleteOption{
			client.Preconditions{UID: new(object.GetUID())},
			client.PropagationPolicy(metav1.DeletePropagationBackground),
		}
		if dryRun {
			options = append(options, client.DryRunAll)
		}
		err = a.client.Delete(ctx, object, options...)
	case action.Gates != nil:
		pod := clusterstate.GatedPod{
			NamespacedName: client.ObjectKeyFromObject(object), UID: object.GetUID(),
		}
		for _, gate := range action.Gates {
			options := []client.PatchOption{fieldOwner}
			if dryRun {
				options = append(options, client.DryRunAll)
			}
			err = errors.Join(err, clusterstate.RemoveGate(ctx, a.client, pod, gate, options...))
		}
	default:
		options := []client.PatchOption{fieldOwner}
		if dryRun {
			options = append(options, client.DryRunAll)
		}
		err = a.client.Patch(ctx, object, client.RawPatch(types.MergePatchType, action.Patch), options...)
	}
	if err != nil {
		return fmt.Errorf("change %q: %w", object.GetNamespace()+"/"+object.GetName(), err)
	}
	return nil
}

// errNotConfirmed means that the user answered no.
var errNotConfirmed = errors.New("nothing was changed")

// confirm asks whether to continue. Without a terminal it returns an error.
func (a *actor) confirm(ctx context.Context, label, risk string) error {
	risk = strings.TrimSuffix(risk, ".")
	if !isTerminal(a.streams.In) {
		return fmt.Errorf("%s: %s. This needs a confirmation, but standard input is not a terminal; add --yes", label, risk)
	}
	fmt.Fprintf(a.streams.ErrOut, "%s: %s. Continue? [y/N] ", label, risk)
	answers := make(chan string, 1)
	go func() {
		answer, _ := bufio.NewReader(a.streams.In).ReadString('\n') // an error means no
		answers <- strings.ToLower(strings.TrimSpace(answer))
	}()
	select {
	case answer := <-answers:
		if answer == "y" || answer == "yes" {
			return nil
		}
	case <-ctx.Done():
	}
	return errNotConfirmed
}
