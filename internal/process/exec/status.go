package exec

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"myelin/internal/telemetry"
)

// Phase is where a view is in its life.
type Phase int32

// The phases.
const (
	Waiting     Phase = iota // not begun: a table that it reads is not loaded yet
	Backfilling              // reading what is in the log already
	Live                     // up to date, step by step
	Failed                   // stopped by an error in Myelin itself
	Paused                   // stands still until it is resumed
)

// String is the phase in words.
func (p Phase) String() string {
	return [...]string{"waiting", "backfilling", "live", "failed", "paused"}[p]
}

// status is what is known of a view from outside.
type status struct {
	phase             atomic.Int32
	in, out           atomic.Int64
	errs, late, ahead atomic.Int64
	watermark, behind atomic.Int64
	bytes, keys, disk atomic.Int64
	changed           atomic.Int64  // clock of the last step that changed it, microseconds
	rate              atomic.Uint64 // rows read per second, as bits of a float64
	lag               atomic.Int64  // nanoseconds

	mu struct {
		sync.Mutex
		file    string
		problem string
		errors  ring
		late    ring
		misfits map[string]int64 // by column
		noted   bool             // something of this changed since the last flush
	}
}

// Status describes a view.
type Status struct {
	Phase Phase
	// RowsIn were read, RowsOut added or taken back since the process started.
	RowsIn, RowsOut int64
	// Errors are rows that could not be computed, Late rows that came after their window had been given up; Recent… are the last
	// of them.
	Errors, Late             int64
	RecentErrors, RecentLate []BadRow
	// Misfits are values, by column, that were not of its type: they are NULL in rows that count all the same. The last rows are
	// among RecentErrors.
	Misfits map[string]int64
	// Ahead are rows whose time was so far ahead of the clock that the watermark does not follow it. The last of them are among
	// RecentLate. All of these counts are kept with the view's state.
	Ahead int64
	// RowsPerSec is how many rows it read in the last second or so.
	RowsPerSec float64
	// Lag is how long the newest record that it shows had lain in the log until it was shown; while it is behind, how old that is.
	Lag time.Duration
	// Watermark is the event time up to which the input is complete, microseconds; op.NoTime before any.
	Watermark int64
	// Behind is how many records of its topics the view has not read yet.
	Behind int64
	// StateBytes and StateKeys are the size of its state in memory, without the rows that it shows.
	StateBytes, StateKeys int64
	// DiskBytes is how much of its state and of the rows that it shows lies in scratch files.
	DiskBytes int64
	// ChangedAt is when the view last changed; zero if it has not since the start.
	ChangedAt time.Time
	// Problem is why a table's file cannot be loaded, why a view waits or why it failed, in plain words.
	Problem string
}

// BadRow is a row that has no part in a result, and why.
type BadRow struct {
	At     time.Time
	Reason string
	// Row is the row as a JSON object.
	Row string
	// Event is the record that it came from, where it came from a single one, and the others say where that lies.
	Event     string
	Topic     string
	Partition int32
	Offset    int64
}

// Status tells how a view is doing.
func (v *View) Status() Status {
	if v.parts != nil && v.Query.Folded != nil {
		return merged(v.parts[0], v.parts[1:])
	}
	if v.parts != nil {
		return whole(v.parts)
	}
	s := &v.status
	out := Status{
		Phase: Phase(s.phase.Load()), RowsIn: s.in.Load(), RowsOut: s.out.Load(), Errors: s.errs.Load(), Late: s.late.Load(), Ahead: s.ahead.Load(), Misfits: s.misfitCounts(),
		Watermark: s.watermark.Load(), Behind: s.behind.Load(), StateBytes: s.bytes.Load(), StateKeys: s.keys.Load(), DiskBytes: s.disk.Load(),
		RowsPerSec: math.Float64frombits(s.rate.Load()), Lag: time.Duration(s.lag.Load()),
	}
	if at := s.changed.Load(); at != 0 {
		out.ChangedAt = time.UnixMicro(at).UTC()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Problem = s.mu.problem
	out.RecentErrors, out.RecentLate = s.mu.errors.list(), s.mu.late.list()
	return out
}

func (s *status) setFile(file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.file = file
}

func (s *status) path() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.file
}

func (s *status) setProblem(p string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.problem = p
}

// ringSize is how many bad rows a view remembers.
const ringSize = 100

// ring is the last bad rows, at most so many per second: a flood of them must not cost more than the view itself.
type ring struct {
	rows  []BadRow
	next  int
	since int64
	taken int
}

// wants reports whether a bad row at this time should be described.
func (r *ring) wants(clock int64) bool {
	if second := clock / 1e6; second != r.since {
		r.since, r.taken = second, 0
	}
	r.taken++
	return r.taken <= ringSize
}

func (r *ring) put(b BadRow) {
	if len(r.rows) < ringSize {
		r.rows = append(r.rows, b)
		return
	}
	r.rows[r.next%ringSize] = b
	r.next++
}

// list is the rows, newest last.
func (r *ring) list() []BadRow {
	n := 0
	if len(r.rows) == ringSize {
		n = r.next % ringSize
	}
	return append(append([]BadRow(nil), r.rows[n:]...), r.rows[:n]...)
}

// metrics are the engine's counters.
type metrics struct {
	steps, shared, rows, results, errs, misfits, late, ahead, flushes *telemetry.Counter

	state, stateLimit   *telemetry.Gauge
	disk, diskLimit     *telemetry.Gauge
	diskResident        *telemetry.Gauge
	stepTime, flushTime *telemetry.Histogram
	collectTime         *telemetry.Histogram
}

func newMetrics(r *telemetry.Registry, labels ...string) metrics {
	return metrics{
		steps:        r.Counter("myelin_process_steps_total", "Steps taken by continuous queries.", labels...),
		shared:       r.Counter("myelin_process_shared_steps_total", "Steps so large that several workers computed them.", labels...),
		rows:         r.Counter("myelin_process_rows_total", "Records read by continuous queries.", labels...),
		results:      r.Counter("myelin_process_results_total", "Rows that continuous queries let out, and took back.", labels...),
		state:        r.Gauge("myelin_process_state_bytes", "Size of the state of continuous queries and of the rows of their views.", labels...),
		stateLimit:   r.Gauge("myelin_process_state_limit_bytes", "How large the state of continuous queries may be in memory before views stand still; 0: as large as it gets.", labels...),
		disk:         r.Gauge("myelin_process_state_disk_bytes", "Size of the scratch files that state lies in beyond its part of the memory.", labels...),
		diskLimit:    r.Gauge("myelin_process_state_disk_limit_bytes", "How large these files may be; 0: there are none.", labels...),
		diskResident: r.Gauge("myelin_process_state_disk_resident_bytes", "How much of these files is in memory.", labels...),
		errs:         r.Counter("myelin_process_row_errors_total", "Rows that a continuous query could not compute, and records that are no JSON objects.", labels...),
		misfits:      r.Counter("myelin_process_misfits_total", "Values that were not of their column's type, and are NULL.", labels...),
		ahead:        r.Counter("myelin_process_ahead_rows_total", "Rows whose time is too far ahead of the clock to count.", labels...),
		late:         r.Counter("myelin_process_late_rows_total", "Rows that came after their window had been given up.", labels...),
		flushes:      r.Counter("myelin_process_flushes_total", "Times the state was made durable.", labels...),
		stepTime:     r.Histogram("myelin_process_step_seconds", "Time from the start of a step until it was published.", labels...),
		collectTime:  r.Histogram("myelin_process_flush_pause_seconds", "Time for which steps stood still while changed keys were collected for a flush.", labels...),
		flushTime:    r.Histogram("myelin_process_flush_seconds", "Time to make the state durable.", labels...),
	}
}
