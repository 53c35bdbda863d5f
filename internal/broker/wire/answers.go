package wire

import "sync"

// answers are those owed to pipelined requests, written in the order of the requests by whoever finds the first one settled:
// the writer goroutine, or the reader after it has worked on a request itself.
type answers struct {
	limit int
	wake  chan struct{} // to the writer
	mu    struct {
		sync.Mutex
		changed  *sync.Cond // fewer are owed
		owed     []*pending
		writing  bool // somebody writes, and will see what is settled meanwhile
		attended bool // the reader is about to look: nobody need be woken
		broken   bool // nothing can be written any more
	}
}

func newAnswers(limit int) *answers {
	a := &answers{limit: limit, wake: make(chan struct{}, 1)}
	a.mu.changed = sync.NewCond(&a.mu)
	return a
}

// add puts one more answer at the end, once fewer than the limit are owed: a client with too much in flight is not read
// further. With attended the caller promises to call writeSettled soon.
func (a *answers) add(p *pending, attended bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.mu.owed) >= a.limit {
		a.mu.changed.Wait()
	}
	a.mu.owed = append(a.mu.owed, p)
	a.mu.attended = attended
}

// settle notes that p can be written.
func (a *answers) settle(p *pending) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p.settled = true
	if a.mu.writing || a.mu.attended || a.mu.owed[0] != p {
		return
	}
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// drain waits until nothing is owed.
func (a *answers) drain() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.mu.owed) > 0 {
		a.mu.changed.Wait()
	}
}

// writeSettled writes the answers from the first one on that are settled, unless somebody else is at it.
func (c *conn) writeSettled() {
	a := c.answers
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.attended = false
	if a.mu.writing {
		return
	}
	a.mu.writing = true
	for len(a.mu.owed) > 0 && a.mu.owed[0].settled {
		p, broken := a.mu.owed[0], a.mu.broken
		a.mu.Unlock()
		if !broken && c.write(p) != nil {
			broken = true
			c.cancel() // stops the reader and the worker; the rest is only drained
		}
		if p.err == nil { // after an error, or a panic, the handler may still hold it
			keepBody(p.body)
		}
		c.give(p.held)
		a.mu.Lock()
		a.mu.broken = broken
		n := copy(a.mu.owed, a.mu.owed[1:])
		a.mu.owed[n] = nil
		a.mu.owed = a.mu.owed[:n]
		a.mu.changed.Broadcast()
	}
	a.mu.writing = false
}
