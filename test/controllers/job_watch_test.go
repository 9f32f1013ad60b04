package controllers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// jobWatch checks every Job that kongdao creates in any test, in the order in which the API server creates them. Two
// Jobs on one database never run together, and no attempt has two Jobs.
type jobWatch struct {
	events watch.Interface
	// active are the Jobs that are not done, by database.
	active map[string]map[string]bool
	// attempts are the names of the Jobs, by the PluginMigration and the attempt.
	attempts map[string]string
	errs     []error
	stopping atomic.Bool
	ended    chan struct{}
}

func watchJobs(ctx context.Context) (*jobWatch, error) {
	events, err := webhook.Admin.Watch(ctx, &batchv1.JobList{}, client.HasLabels{annotations.Migration})
	if err != nil {
		return nil, err
	}
	w := &jobWatch{
		events: events, active: map[string]map[string]bool{}, attempts: map[string]string{},
		ended: make(chan struct{}),
	}
	go w.follow()
	return w, nil
}

func (w *jobWatch) follow() {
	defer close(w.ended)
	for event := range w.events.ResultChan() {
		job, ok := event.Object.(*batchv1.Job)
		if w.stopping.Load() {
			return
		}
		if !ok {
			w.errs = append(w.errs, fmt.Errorf("watch Jobs: %+v", event.Object))
			return
		}
		if isFromKongdao(job) {
			w.check(job, event.Type == watch.Deleted)
		}
	}
}

// check checks a Job that was created, changed or deleted.
func (w *jobWatch) check(job *batchv1.Job, deleted bool) {
	database := job.Namespace + "/" + job.Labels[annotations.Database]
	if w.active[database] == nil {
		w.active[database] = map[string]bool{}
	}
	delete(w.active[database], job.Name)
	if !deleted && !isDone(job) {
		w.active[database][job.Name] = true
	}
	if len(w.active[database]) > 1 {
		w.errs = append(w.errs, fmt.Errorf("several Jobs run on database %s: %v", database, w.active[database]))
	}
	attempt := fmt.Sprint(metav1.GetControllerOf(job).UID, " ", job.Labels[annotations.Attempt])
	if before, ok := w.attempts[attempt]; ok && before != job.Name {
		w.errs = append(w.errs, fmt.Errorf("jobs %s and %s have the same attempt", before, job.Name))
	}
	w.attempts[attempt] = job.Name
}

// stop ends the watch and returns what is wrong.
func (w *jobWatch) stop() error {
	select {
	case <-w.ended:
		w.errs = append(w.errs, errors.New("the watch ended before the tests"))
	default:
		w.stopping.Store(true)
		w.events.Stop()
		<-w.ended
	}
	if all := flag.Lookup("test.run").Value.String() == ""; all && len(w.attempts) == 0 {
		w.errs = append(w.errs, errors.New("the watch saw no Job"))
	}
	return errors.Join(w.errs...)
}

// isFromKongdao reports whether kongdao created a Job. It does not use the labels, because the tests forge them.
func isFromKongdao(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.ManagedFields, func(by metav1.ManagedFieldsEntry) bool {
		return strings.HasPrefix(by.Manager, "kongdao-controller") && by.Subresource == ""
	})
}
