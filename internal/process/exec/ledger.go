package exec

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"myelin/internal/log"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// ledgerStore is the number of the ledger among the stores of a job.
const ledgerStore = 255

// ledger keeps what became of the rows that have no part in a view, or not all of it, with the view's state: how many of each kind,
// and the last of them. It is a state.Store of three keys.
type ledger struct{ s *status }

const (
	// keptRows is how many rows of a kind a restart finds again, keptBytes how much of each row and of its event.
	keptRows  = 20
	keptBytes = 2 << 10
)

type ledgerCounts struct {
	Errors  int64            `json:"errors"`
	Late    int64            `json:"late"`
	Ahead   int64            `json:"ahead"`
	Misfits map[string]int64 `json:"misfits,omitempty"`
}

// Dirty implements state.Store.
func (l ledger) Dirty() state.Changes {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mu.noted {
		return state.Told(nil)
	}
	s.mu.noted = false
	var told []state.Change
	put := func(key string, v any) {
		b, err := json.Marshal(v)
		if err != nil {
			panic("exec: " + err.Error()) // plain numbers and strings
		}
		told = append(told, state.Change{Key: []byte(key), Value: b})
	}
	put("counts", ledgerCounts{s.errs.Load(), s.late.Load(), s.ahead.Load(), s.mu.misfits})
	put("errors", s.mu.errors.last())
	put("late", s.mu.late.last())
	return state.Told(told)
}

// Load implements state.Store.
func (l ledger) Load(key, value []byte) error {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch string(key) {
	case "counts":
		var c ledgerCounts
		if err := json.Unmarshal(value, &c); err != nil {
			return fmt.Errorf("reading how many rows a view left out: %w", err)
		}
		s.errs.Store(c.Errors)
		s.late.Store(c.Late)
		s.ahead.Store(c.Ahead)
		s.mu.misfits = c.Misfits
		return nil
	case "errors":
		return s.mu.errors.load(value)
	case "late":
		return s.mu.late.load(value)
	}
	return nil
}

// Len implements state.Store.
func (l ledger) Len() int { return 3 }

// Size implements state.Store.
func (l ledger) Size() int64 { return 0 }

// clear forgets what an earlier run of the job had noted.
func (l ledger) clear() {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs.Store(0)
	s.late.Store(0)
	s.ahead.Store(0)
	s.mu.misfits, s.mu.errors, s.mu.late = nil, ring{}, ring{}
}

// last is the newest rows, shortened.
func (r *ring) last() []BadRow {
	rows := r.list()
	rows = rows[max(len(rows)-keptRows, 0):]
	for i := range rows {
		rows[i].Row, rows[i].Event = shortened(rows[i].Row), shortened(rows[i].Event)
	}
	return rows
}

func shortened(s string) string {
	if len(s) <= keptBytes {
		return s
	}
	return s[:keptBytes] + "…"
}

func (r *ring) load(b []byte) error {
	var rows []BadRow
	if err := json.Unmarshal(b, &rows); err != nil {
		return fmt.Errorf("reading which rows a view left out: %w", err)
	}
	*r = ring{}
	for _, row := range rows {
		r.put(row)
	}
	return nil
}

// bad notes a row in one of the rings.
func (s *status) bad(r *ring, clock int64, reason string, describe func() BadRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.noted = true
	if r.wants(clock) {
		b := describe()
		b.At, b.Reason = time.UnixMicro(clock).UTC(), reason
		r.put(b)
	}
}

// misfit counts a value that does not fit its column.
func (s *status) misfit(column string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.misfits == nil {
		s.mu.misfits = map[string]int64{}
	}
	s.mu.misfits[column]++
}

// misfitCounts is how many values did not fit, by column.
func (s *status) misfitCounts() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.mu.misfits)
}

// failed notes a row that an operator could not compute.
func (j *job) failed(b *vec.Batch, row int, err error) {
	s := j.stat()
	s.errs.Add(1)
	s.bad(&s.mu.errors, j.ctx.Env.Now, err.Error(), func() BadRow { return j.describe(b, row) })
}

// late notes a row that came too late.
func (j *job) late(b *vec.Batch, row int) {
	s := j.stat()
	s.late.Add(1)
	s.bad(&s.mu.late, j.ctx.Env.Now, "it came after its window had been closed", func() BadRow { return j.describe(b, row) })
}

// unread notes a record that is no JSON object.
func (j *job) unread(pc *piece, r log.RawRecord, clock int64) {
	s := j.stat()
	s.errs.Add(1)
	s.bad(&s.mu.errors, clock, "the record is not a JSON object", func() (b BadRow) {
		b.from(pc, r)
		return b
	})
}

// tellMisfits notes the values that do not fit their columns with the job, if it reads them. The rows take part all the same.
func (f *feed) tellMisfits(pc *piece, clock int64) {
	for i, t := range f.targets {
		for _, m := range pc.misfits {
			c := slices.Index(t.cols, int(m.Col))
			if c < 0 || !t.takes(pc, int(m.Row)) || slices.ContainsFunc(f.targets[:i], func(x *target) bool {
				return slices.Contains(x.cols, int(m.Col)) && x.takes(pc, int(m.Row))
			}) {
				continue
			}
			s, col := t.job.stat(), t.source.Scan.Columns[c]
			s.misfit(col.Name)
			t.job.metrics.misfits.Inc()
			s.bad(&s.mu.errors, clock, fmt.Sprintf("what the event has for %s is not %v; the column is NULL", col.Name, col.Type), func() BadRow {
				return t.row(pc, int(m.Row))
			})
		}
	}
}

// tellAhead notes the rows whose time is so far ahead of the clock that it does not count.
func (f *feed) tellAhead(pc *piece, clock int64) {
	for i, t := range f.targets {
		r := t.source.Scan.Relation
		if r.Kind != plan.Stream || r.TimeCol < 0 || r.TimeCol >= len(r.Scan) {
			continue
		}
		name := streamName(r, t.job.share)
		for _, x := range pc.in.times {
			if x.stream != name || slices.ContainsFunc(f.targets[:i], func(o *target) bool { return o.source.Scan.Relation == r }) {
				continue
			}
			v := pc.batch.Cols[x.col]
			for row := range pc.batch.N {
				if v.IsNull(row) || v.Ints[row] <= pc.limit || !t.takes(pc, row) {
					continue
				}
				s := t.job.stat()
				s.ahead.Add(1)
				t.job.metrics.ahead.Inc()
				s.bad(&s.mu.late, clock, "its time is ahead of the clock; the row counts, but the time of the stream does not follow it", func() BadRow {
					return t.row(pc, row)
				})
			}
		}
	}
}

// takes reports whether a row of the piece is one of the scan's.
func (t *target) takes(pc *piece, row int) bool {
	if t.wants == nil {
		return true
	}
	code := pc.codes[row]
	return code >= 0 && int(code) < len(t.wants) && t.wants[code]
}

// row shows a row as the scan sees it, and its record.
func (t *target) row(pc *piece, row int) BadRow {
	var names []string
	var cols []*vec.Vector
	for i, c := range t.cols {
		names, cols = append(names, t.source.Scan.Columns[i].Name), append(cols, pc.batch.Cols[c])
	}
	out := BadRow{Row: string(appendObject(nil, names, cols, row))}
	if r, ok := pc.record(row); ok {
		out.from(pc, r)
	}
	return out
}
