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

// jobWatch looks at every Job that kongdao makes, from the first to the last
// test, in the order in which the API server made them: of one database never
// two are active, and of one attempt there is never a second.
type jobWatch struct {
	events watch.Interface
	// active are the Jobs that are not over, by their database.
	active map[string]map[string]bool
	// attempts are the Jobs' names, by what they are an attempt of.
	attempts map[string]string
	wrong    []error
	stopping atomic.Bool
	over     chan struct{}
}

func watchJobs(ctx context.Context) (*jobWatch, error) {
	events, err := webhook.Admin.Watch(ctx, &batchv1.JobList{}, client.HasLabels{annotations.Migration})
	if err != nil {
		return nil, err
	}
	w := &jobWatch{events: events, active: map[string]map[string]bool{}, attempts: map[string]string{}, over: make(chan struct{})}
	go w.follow()
	return w, nil
}

func (w *jobWatch) follow() {
	defer close(w.over)
	for event := range w.events.ResultChan() {
		job, ok := event.Object.(*batchv1.Job)
		if w.stopping.Load() {
			return
		}
		if !ok {
			w.wrong = append(w.wrong, fmt.Errorf("watch Jobs: %+v", event.Object))
			return
		}
		if isKongdaos(job) {
			w.see(job, event.Type == watch.Deleted)
		}
	}
}

func (w *jobWatch) see(job *batchv1.Job, gone bool) {
	database := job.Namespace + "/" + job.Labels[annotations.Database]
	if w.active[database] == nil {
		w.active[database] = map[string]bool{}
	}
	delete(w.active[database], job.Name)
	if !gone && !isOver(job) {
		w.active[database][job.Name] = true
	}
	if len(w.active[database]) > 1 {
		w.wrong = append(w.wrong, fmt.Errorf("on database %s several Jobs are active: %v", database, w.active[database]))
	}
	attempt := fmt.Sprint(metav1.GetControllerOf(job).UID, " ", job.Labels[annotations.Attempt])
	if before, seen := w.attempts[attempt]; seen && before != job.Name {
		w.wrong = append(w.wrong, fmt.Errorf("jobs %s and %s are of one attempt", before, job.Name))
	}
	w.attempts[attempt] = job.Name
}

// stop ends the watch and says what was wrong.
func (w *jobWatch) stop() error {
	select {
	case <-w.over:
		w.wrong = append(w.wrong, errors.New("the watch of Jobs ended before the tests"))
	default:
		w.stopping.Store(true)
		w.events.Stop()
		<-w.over
	}
	if all := flag.Lookup("test.run").Value.String() == ""; all && len(w.attempts) == 0 {
		w.wrong = append(w.wrong, errors.New("the watch has seen no Job"))
	}
	return errors.Join(w.wrong...)
}

// isKongdaos reports whether kongdao has made a Job, whatever its labels say.
func isKongdaos(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.ManagedFields, func(by metav1.ManagedFieldsEntry) bool {
		return strings.HasPrefix(by.Manager, "kongdao-webhook") && by.Subresource == ""
	})
}
