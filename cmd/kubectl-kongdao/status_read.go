package main

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/status"
	"kongdao.io/kongdao/pkg/uses"
	"kongdao.io/kongdao/pkg/workloads"
)

// readStatus reads what a report needs from a namespace, or from all namespaces if it is "". It reads lists in pages.
// Of most pods it reads only the metadata.
func readStatus(ctx context.Context, reader client.Reader, namespace string) (status.Cluster, error) {
	var cluster status.Cluster
	for object, err := range workloads.All(ctx, reader, namespace, workloads.Kinds()) {
		if err != nil {
			return cluster, err
		}
		cluster.Workloads = append(cluster.Workloads, object)
	}
	var err error
	if cluster.Pods, err = readStatusPods(ctx, reader, namespace); err != nil {
		return cluster, err
	}
	if cluster.Migrations, err = uses.ReadMigrations(ctx, reader, namespace); err != nil {
		return cluster, err
	}
	// Users of one namespace cannot read the policies of the cluster, and see less.
	if cluster.Policies, err = listPolicies(ctx, reader); err != nil && !apierrors.IsForbidden(err) {
		return cluster, err
	}
	if slices.ContainsFunc(cluster.Workloads, status.IsDataPlane) {
		var services corev1.ServiceList
		if err := reader.List(ctx, &services, client.InNamespace(namespace)); err != nil {
			return cluster, fmt.Errorf("list Services: %w", err)
		}
		cluster.Services = services.Items
	}
	return cluster, nil
}

// notEnded selects the pods that have not ended.
var notEnded = fields.ParseSelectorOrDie("status.phase!=Succeeded,status.phase!=Failed")

// readStatusPods reads the metadata of all pods, and the gates of those without a node. Others have none (fact P1).
func readStatusPods(ctx context.Context, reader client.Reader, namespace string) ([]status.Pod, error) {
	gates := map[client.ObjectKey][]string{}
	withoutNode := client.MatchingFields{"spec.nodeName": ""}
	for pod, err := range clusterstate.PodsIn(ctx, reader, namespace, withoutNode) {
		if err != nil {
			return nil, err
		}
		for _, gate := range pod.Spec.SchedulingGates {
			key := client.ObjectKeyFromObject(pod)
			gates[key] = append(gates[key], gate.Name)
		}
	}
	var pods []status.Pod
	selector := client.MatchingFieldsSelector{Selector: notEnded}
	for object, err := range clusterstate.PodMetadata(ctx, reader, namespace, selector) {
		if err != nil {
			return nil, err
		}
		if object.DeletionTimestamp != nil {
			continue
		}
		pod := status.NewPod(object)
		pod.Gates = gates[client.ObjectKeyFromObject(object)]
		pods = append(pods, pod)
	}
	return pods, nil
}
