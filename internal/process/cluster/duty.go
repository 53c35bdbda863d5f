package cluster

import (
	"context"
	"sync"
	"time"
)

// duty is something that one process of the cluster does at a time.
type duty struct {
	mu struct {
		sync.Mutex
		owned   bool
		since   time.Time     // when it became ours, or not ours
		lost    bool          // taken away without our knowing: another process may have it by now
		changed chan struct{} // closed and replaced when owned changes
		idle    chan struct{} // closed while it is not being done
	}
}

func newDuty() *duty {
	d := &duty{}
	d.mu.changed, d.mu.idle = make(chan struct{}), make(chan struct{})
	close(d.mu.idle)
	return d
}

// give makes the duty ours.
func (d *duty) give() { d.set(true, false) }

// take takes the duty away. lost: somebody else may have it already.
func (d *duty) take(lost bool) { d.set(false, lost) }

func (d *duty) set(owned, lost bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.owned == owned {
		return
	}
	d.mu.owned, d.mu.lost, d.mu.since = owned, lost, time.Now()
	close(d.mu.changed)
	d.mu.changed = make(chan struct{})
}

func (d *duty) mine() bool {
	mine, _ := d.state()
	return mine
}

// since is whether the duty is ours, and since when.
func (d *duty) since() (mine bool, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.owned, d.mu.since
}

func (d *duty) state() (mine bool, changed <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.owned, d.mu.changed
}

func (d *duty) wasLost() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.lost
}

// settle says that the duty is not being done any more.
func (d *duty) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.mu.idle:
	default:
		close(d.mu.idle)
	}
}

// busy says that the duty is being done, and settled is closed once it is not.
func (d *duty) busy() {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.mu.idle:
		d.mu.idle = make(chan struct{})
	default:
	}
}

func (d *duty) settled() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.idle
}

// handover is how long a duty may take to end well when it is given away.
const handover = 3 * time.Second

// during runs f until ctx ends or changed is closed; before it ends f well, goodbye may put things in order.
func (d *duty) during(ctx context.Context, changed <-chan struct{}, f func(context.Context) error, goodbye func(context.Context)) error {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	done := make(chan error, 1)
	if goodbye != nil {
		d.busy()
	}
	go func() { done <- f(own) }()
	select {
	case err := <-done:
		return err
	case <-changed:
	case <-ctx.Done():
	}
	if goodbye != nil && !d.wasLost() {
		end, stop := context.WithTimeout(own, handover)
		finished := make(chan struct{})
		go func() { defer close(finished); goodbye(end) }()
		select {
		case <-finished:
		case err := <-done: // it ended by itself meanwhile
			stop()
			<-finished
			return err
		}
		stop()
	}
	cancel()
	return <-done
}
