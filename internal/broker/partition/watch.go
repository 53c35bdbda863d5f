package partition

// Watcher waits for something new in one or several partitions. C receives, at most once per look, after more became durable
// in one of them, a transaction ended or one was closed.
type Watcher struct {
	C  chan struct{}
	on []*Partition
}

// NewWatcher returns a watcher of nothing yet.
func NewWatcher() *Watcher { return &Watcher{C: make(chan struct{}, 1)} }

// Add watches p until Close.
func (w *Watcher) Add(p *Partition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.watchers[w] = struct{}{}
	w.on = append(w.on, p)
}

// Close ends the watch.
func (w *Watcher) Close() {
	for _, p := range w.on {
		p.mu.Lock()
		delete(p.mu.watchers, w)
		p.mu.Unlock()
	}
	w.on = nil
}

func (w *Watcher) ring() {
	select {
	case w.C <- struct{}{}:
	default:
	}
}
