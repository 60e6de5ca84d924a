package sweep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options say how [Sweep.Run] works.
type Options struct {
	Runs     string   // folder of the run folders
	DataRoot string   // folder of the data sets' files; "" for the usual one
	Command  []string // starts a worker, see [Work]
	Slots    []Slot   // one for each worker; none: one worker on the whole machine
	Retry    bool     // start failed jobs again

	// OnProgress, if set, is called often, by one goroutine at a time.
	OnProgress func(Progress)
}

// Progress is how far a sweep is.
type Progress struct {
	Total     int
	Counts    map[State]int // as far as this process knows; Running includes the workers of others
	Part      float64       // in 0..1, weighted by the work of the jobs
	Remaining time.Duration // estimated from this session's speed; 0 if unknown
	Running   []Activity    // this process's workers, by their slot
	Ended     *Ended        // set when a job has just ended
}

// Activity is a job in training.
type Activity struct {
	Name string
	Report
}

// Ended is how a job ended.
type Ended struct {
	Name string
	Report
}

// pollEvery is how often jobs of other processes are looked at.
var pollEvery = 2 * time.Second

// Run makes the sweep's jobs, as many at a time as there are slots: it skips the finished ones, goes on with those
// that were begun, leaves alone those that another process writes, and returns when all are done. A failing job does
// not stop the others. When ctx ends the workers stop at checkpoints; a second signal kills them.
func (s *Sweep) Run(ctx context.Context, o Options) error {
	if len(o.Slots) == 0 {
		o.Slots = make([]Slot, 1)
	}
	r := &session{Options: o, sweep: s, started: time.Now(), statuses: s.Status(o.Runs),
		tried: make([]bool, len(s.Jobs)), running: make([]*Activity, len(o.Slots))}
	if err := r.refuseChanged(); err != nil {
		return err
	}
	r.atStart = r.part()
	kill, killed := context.WithCancel(context.Background())
	defer killed()
	defer context.AfterFunc(ctx, func() {
		second := make(chan os.Signal, 1)
		signal.Notify(second, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(second)
		select {
		case <-second:
			killed()
		case <-kill.Done():
		}
	})()
	var workers sync.WaitGroup
	for i, slot := range o.Slots {
		workers.Go(func() {
			for {
				job, ok := r.next(ctx, i)
				if !ok {
					return
				}
				order := o.order(job)
				clearFailure(order.Dir)
				end := slot.start(ctx, kill, o.Command, order, func(report Report) { r.work(i, report) })
				r.end(i, job, end)
			}
		})
	}
	workers.Wait()
	return r.verdict(ctx)
}

// session is one call of Run.
type session struct {
	Options
	sweep   *Sweep
	started time.Time
	atStart float64 // part done

	mu       sync.Mutex
	statuses []Status    // as last seen
	tried    []bool      // by this session
	running  []*Activity // by slot
}

func (r *session) refuseChanged() error {
	var changed []string
	for _, status := range r.statuses {
		if status.State == Changed {
			changed = append(changed, fmt.Sprintf("%s (%s)", status.Name, status.Why))
		}
	}
	if len(changed) == 0 {
		return nil
	}
	shown := changed[:min(3, len(changed))]
	return fmt.Errorf("the sweep file has changed: %d of its runs are there with another recipe, as %s; "+
		"the run's value comes first: give the sweep another name, or restore its file, or remove these run folders",
		len(changed), strings.Join(shown, ", "))
}

// next gives a slot its next job. While other processes still train the last ones it waits, since they may fail to
// finish. It is false when nothing is left to do.
func (r *session) next(ctx context.Context, slot int) (Job, bool) {
	for ctx.Err() == nil {
		job, found, wait := r.pick(slot)
		if found || !wait {
			return job, found
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollEvery):
		}
	}
	return Job{}, false
}

// pick takes the first job that nobody trains. If there is none, wait says whether another process still trains one.
func (r *session) pick(slot int) (job Job, found, wait bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.report(nil)
	for i, job := range r.sweep.Jobs {
		if r.statuses[i].State == Done || r.isRunning(job) {
			continue
		}
		r.statuses[i] = statusOf(job, r.Runs)
		switch r.statuses[i].State {
		case Running:
			wait = true
			continue
		case Failed:
			if r.tried[i] || !r.Retry {
				continue
			}
		case Pending, Stopped:
		default:
			continue
		}
		r.statuses[i].State, r.tried[i] = Running, true
		r.running[slot] = &Activity{Name: job.Name, Report: Report{Phase: "starting"}}
		return job, true, false
	}
	return Job{}, false, wait
}

// isRunning reports whether one of this session's workers has the job.
func (r *session) isRunning(job Job) bool {
	return slices.ContainsFunc(r.running, func(a *Activity) bool { return a != nil && a.Name == job.Name })
}

// work notes what a slot's worker reports.
func (r *session) work(slot int, report Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[slot].Report = report
	r.report(nil)
}

// end notes how a slot's worker ended.
func (r *session) end(slot int, job Job, end Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := Record(job.dir(r.Runs), end); err != nil {
		end.Message += "; " + err.Error()
	}
	r.running[slot] = nil
	r.statuses[job.Index] = statusOf(job, r.Runs)
	r.report(&Ended{Name: job.Name, Report: end})
}

// report calls OnProgress.
func (r *session) report(ended *Ended) {
	if r.OnProgress == nil {
		return
	}
	p := Progress{Total: len(r.statuses), Counts: Count(r.statuses), Part: r.part(), Ended: ended}
	for _, activity := range r.running {
		if activity != nil {
			p.Running = append(p.Running, *activity)
		}
	}
	elapsed := time.Since(r.started).Seconds()
	if gained := p.Part - r.atStart; gained > 0 && elapsed > 1 { // too early it is noise
		p.Remaining = time.Duration(elapsed / gained * (1 - p.Part) * float64(time.Second))
	}
	r.OnProgress(p)
}

// part is the part of the whole work that is done, not counting failed jobs.
func (r *session) part() float64 {
	var done, all float64
	for i, status := range r.statuses {
		part := status.Part()
		for _, activity := range r.running {
			if activity != nil && activity.Name == status.Name && activity.Steps > 0 {
				part = float64(activity.Step) / float64(activity.Steps)
			}
		}
		if status.State != Failed {
			w := weight(r.sweep.Jobs[i].Recipe)
			done += w * part
			all += w
		}
	}
	if all == 0 {
		return 1
	}
	return done / all
}

// verdict is Run's error: nil when all jobs are done.
func (r *session) verdict(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := Count(r.statuses)
	switch {
	case counts[Done] == len(r.statuses):
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w, %s: start the same command again to go on", ErrStopped, Summary(r.statuses))
	}
	for _, status := range r.statuses {
		if status.State == Failed {
			others := "the others are done"
			if counts[Failed] == len(r.statuses) {
				others = "none is done"
			}
			return fmt.Errorf("%d of %d runs failed, the first, %s: %s; %s: "+
				"`stochdepth sweep run %s --retry` tries these again",
				counts[Failed], len(r.statuses), status.Name, status.Why, others, r.sweep.Name)
		}
	}
	return fmt.Errorf("the sweep is not done: %s", Summary(r.statuses))
}

// ErrStopped is returned, wrapped, by Run when ctx ended before the sweep's end.
var ErrStopped = errors.New("stopped")
