package cluster

import (
	"errors"
	"fmt"
)

// InParallel calls work for 0 to count-1 with a number of workers. It returns all errors.
func InParallel(workers, count int, work func(i int) error) error {
	jobs, results := make(chan int), make(chan error)
	for range workers {
		go func() {
			for i := range jobs {
				err := work(i)
				if err != nil {
					err = fmt.Errorf("item %d: %w", i, err)
				}
				results <- err
			}
		}()
	}
	go func() {
		defer close(jobs)
		for i := range count {
			jobs <- i
		}
	}()
	var all []error
	for range count {
		all = append(all, <-results)
	}
	return errors.Join(all...)
}
