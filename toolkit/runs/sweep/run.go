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
	Remaining time.Duration // estimated from this session's runs; 0 if unknown
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
	r := &session{Options: o, sweep: s, statuses: s.Status(o.Runs),
		tried: make([]bool, len(s.Jobs)), running: make([]*Activity, len(o.Slots)), began: make([]time.Time, len(o.Slots))}
	if err := r.refuseChanged(); err != nil {
		return err
	}
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
				end := slot.start(ctx, kill, o.Command, order, func(report Report) { r.note(i, report) })
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
	sweep *Sweep

	mu       sync.Mutex
	statuses []Status    // as last seen
	tried    []bool      // by this session
	running  []*Activity // by slot
	began    []time.Time // by slot: when the run in it began; zero if an earlier session began it

	// The runs that this session has made from their beginning to their end: their weights, and the seconds that they took.
	made, seconds float64
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
		if r.statuses[i].State == Done || r.activity(job.Name) != nil {
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
		r.began[slot] = time.Time{}
		if r.statuses[i].State == Pending {
			r.began[slot] = time.Now()
		}
		r.statuses[i].State, r.tried[i] = Running, true
		r.running[slot] = &Activity{Name: job.Name, Report: Report{Phase: "starting"}}
		return job, true, false
	}
	return Job{}, false, wait
}

// note notes what a slot's worker reports.
func (r *session) note(slot int, report Report) {
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
	if end.End == Finished && !r.began[slot].IsZero() {
		r.made += weight(job.Recipe)
		r.seconds += time.Since(r.began[slot]).Seconds()
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
	done, left := r.work()
	p := Progress{Total: len(r.statuses), Counts: Count(r.statuses), Part: 1, Ended: ended}
	if done+left > 0 {
		p.Part = done / (done + left)
	}
	for _, activity := range r.running {
		if activity != nil {
			p.Running = append(p.Running, *activity)
		}
	}
	p.Remaining = r.remaining(left, p.Counts[Running])
	r.OnProgress(p)
}

// work returns the weights of what is done and of what is left, not counting failed jobs.
func (r *session) work() (done, left float64) {
	for i, status := range r.statuses {
		part := status.Part()
		if a := r.activity(status.Name); a != nil && a.Steps > 0 {
			part = float64(a.Step) / float64(a.Steps)
		}
		if status.State != Failed {
			w := weight(r.sweep.Jobs[i].Recipe)
			done += w * part
			left += w * (1 - part)
		}
	}
	return done, left
}

// activity is that of this session's worker that has the job of a name, or nil.
func (r *session) activity(name string) *Activity {
	i := slices.IndexFunc(r.running, func(a *Activity) bool { return a != nil && a.Name == name })
	if i < 0 {
		return nil
	}
	return r.running[i]
}

// remaining estimates the time that this many workers take for the work that is left, from the runs that this session has
// made and from what its workers say of theirs: the time from a run's start to its first steps, with the compilation, says
// nothing of its speed. It is 0 while nothing is known.
func (r *session) remaining(left float64, workers int) time.Duration {
	work, seconds, longest := r.made, r.seconds, 0.
	for i, status := range r.statuses {
		if a := r.activity(status.Name); a != nil && a.Remaining > 0 && a.Steps > 0 {
			work += weight(r.sweep.Jobs[i].Recipe) * (1 - float64(a.Step)/float64(a.Steps))
			seconds += a.Remaining.Seconds()
			longest = max(longest, a.Remaining.Seconds())
		}
	}
	if work == 0 {
		return 0
	}
	return time.Duration(max(longest, seconds/work*left/float64(max(1, workers))) * float64(time.Second))
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
				"the same command with --retry tries these again",
				counts[Failed], len(r.statuses), status.Name, status.Why, others)
		}
	}
	return fmt.Errorf("the sweep is not done: %s", Summary(r.statuses))
}

// ErrStopped is returned, wrapped, by Run when ctx ended before the sweep's end.
var ErrStopped = errors.New("stopped")
