package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/pack"
	"kongdao.io/kongdao/pkg/verify"
)

// runInCluster runs Kong in a Job.
func (v *verifier) runInCluster(ctx context.Context, argument string) (verify.Result, error) {
	var err error
	if v.namespace, err = v.namespaces.namespace(); err != nil {
		return verify.Result{}, err
	}
	cluster, err := v.connection.connect(v.streams)
	if err != nil {
		return verify.Result{}, err
	}
	target := verify.Target{
		Namespace: v.namespace, Name: "kongdao-verify-" + rand.String(6), TimeoutSeconds: int64(v.timeout.Seconds()) + 1,
	}
	if target.Kong, err = v.kong(ctx, cluster); err != nil {
		return verify.Result{}, err
	}
	var configMaps []corev1.ConfigMap
	if isFolder(argument) {
		configMaps, err = v.packTarget(argument, &target)
	} else {
		err = v.findRelease(ctx, cluster, argument, &target)
	}
	if err != nil {
		return verify.Result{}, err
	}
	job := verify.NewJob(target)
	if err := cluster.Create(ctx, job); err != nil {
		return verify.Result{}, fmt.Errorf("create the Job: %w", err)
	}
	if !v.keep {
		defer v.delete(ctx, cluster, job)
	}
	if err := v.start(ctx, cluster, job, target, configMaps); err != nil {
		return verify.Result{}, err
	}
	return v.wait(ctx, cluster, target)
}

// packTarget packs a folder. Its ConfigMaps are not sources, so that no pod can request the plugin from them.
func (v *verifier) packTarget(folder string, target *verify.Target) ([]corev1.ConfigMap, error) {
	name, err := pluginName(folder, v.name)
	if err != nil {
		return nil, fmt.Errorf("folder %q: %w", folder, err)
	}
	files, denials := readFolder(folder)
	if len(denials) > 0 {
		return nil, denials
	}
	options := pack.Options{Folder: folder, Namespace: v.namespace, Version: "0", Force: true}
	packed, denials := pack.Pack(name, files, options)
	if len(denials) > 0 {
		return nil, denials
	}
	target.Plugin = name
	sources := make([]catalog.Source, len(packed.ConfigMaps))
	for i := range packed.ConfigMaps {
		packed.ConfigMaps[i].Name = fmt.Sprintf("%s-%d", target.Name, i+1)
		sources[i] = catalog.NewSource(&packed.ConfigMaps[i])
		packed.ConfigMaps[i].Labels, packed.ConfigMaps[i].Annotations = target.Labels(), nil
	}
	target.Files = filesOf(catalog.Assemble(name, sources)[0])
	return packed.ConfigMaps, nil
}

// findRelease finds a release in the cluster: the requested version, or the newest one.
func (v *verifier) findRelease(
	ctx context.Context, reader client.Reader, argument string, target *verify.Target,
) error {
	request, denials := annotations.Parse(map[string]string{annotations.Plugins: argument})
	if len(denials) > 0 || len(request.Plugins) != 1 {
		return fmt.Errorf("%q is not a folder, and not PLUGIN or PLUGIN@VERSION", argument)
	}
	ref := request.Plugins[0]
	index := &catalog.Index{}
	if err := clusterstate.ReadSources(ctx, reader, index, v.namespace, []string{ref.Name}); err != nil {
		return err
	}
	releases := index.Releases(v.namespace, ref.Name)
	release := catalog.Choose(ref, releases)
	if release == nil || release.AllVersions {
		find := func(string) []*catalog.Release { return releases }
		_, denied := catalog.Resolve(v.namespace, request.Plugins, find)
		return denied
	}
	target.Plugin, target.Files = ref.Name, filesOf(release)
	return nil
}

func filesOf(release *catalog.Release) []verify.File {
	var files []verify.File
	for _, file := range release.Files {
		files = append(files, verify.File{Path: file.Path, ConfigMap: file.Source, Key: file.Key})
	}
	return files
}

// start creates what the Job needs, with the Job as owner, and then starts it.
func (v *verifier) start(
	ctx context.Context, cluster client.Client, job *batchv1.Job, target verify.Target, configMaps []corev1.ConfigMap,
) error {
	owner := []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID}}
	for i := range configMaps {
		configMaps[i].OwnerReferences = owner
		if err := cluster.Create(ctx, &configMaps[i]); err != nil {
			return fmt.Errorf("create the ConfigMap with the plugin: %w", err)
		}
	}
	network := verify.NewNetworkPolicy(target)
	network.OwnerReferences = owner
	if err := cluster.Create(ctx, network); apierrors.IsForbidden(err) {
		fmt.Fprintln(v.streams.ErrOut,
			"warning: you may not create NetworkPolicies, so the plugin has access to the network")
	} else if err != nil {
		return fmt.Errorf("create the NetworkPolicy: %w", err)
	}
	started := job.DeepCopy()
	started.Spec.Suspend = new(false)
	if err := cluster.Patch(ctx, started, client.MergeFrom(job)); err != nil {
		return fmt.Errorf("start the Job: %w", err)
	}
	return nil
}

// wait waits for the result of the Job's pod.
func (v *verifier) wait(ctx context.Context, cluster client.Client, target verify.Target) (verify.Result, error) {
	var result verify.Result
	last := "the Job has no pod"
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		var pods corev1.PodList
		err := cluster.List(ctx, &pods, client.InNamespace(v.namespace), client.MatchingLabels(target.Labels()))
		if err != nil {
			return false, fmt.Errorf("list the pods of the Job: %w", err)
		}
		for i := range pods.Items {
			state, terminated := verify.StateOf(&pods.Items[i])
			if terminated != nil {
				result = verify.ParseResult(terminated.Message)
				return true, nil
			}
			last = state
		}
		return false, nil
	})
	if wait.Interrupted(err) || errors.Is(err, context.DeadlineExceeded) {
		return result, fmt.Errorf("no result after %s: %s; use --timeout to wait longer, and --keep to look at the pod",
			v.timeout, last)
	}
	return result, err
}

// delete deletes the Job, also after a timeout.
func (v *verifier) delete(ctx context.Context, cluster client.Client, job *batchv1.Job) {
	const limit = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	err := cluster.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if client.IgnoreNotFound(err) != nil {
		fmt.Fprintf(v.streams.ErrOut, "warning: cannot delete Job %q: %v; it is deleted after ten minutes\n", job.Name, err)
	}
}
