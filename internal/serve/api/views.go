package api

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/serve/value"
	"myelin/internal/serve/view"
	"myelin/internal/vec"
)

const (
	maxRows         = 10000
	snapshotRows    = 5000
	subscriptionBuf = 64
)

func (s *Server) views(w http.ResponseWriter, r *http.Request) {
	list := Views{Views: []ViewInfo{}}
	for _, e := range s.cfg.Views.Snapshot().All() {
		if e.Relation.Kind == plan.SystemRel {
			continue
		}
		info := ViewInfo{Name: e.Relation.Name, Kind: kindName(e.Relation.Kind), SQL: e.SQL, Columns: columnsOf(e.Relation.Columns),
			Key: []string{}, Emit: e.Emit, TTL: e.TTL, Description: cmp.Or(e.Description, e.Relation.Comment)}
		for _, k := range e.Relation.Key {
			info.Key = append(info.Key, e.Relation.Columns[k].Name)
		}
		if e.Table != nil {
			info.Rows = int64(e.Table.Version().Rows())
		}
		if s.cfg.Status != nil {
			info.ViewStatus, _ = s.cfg.Status.ViewStatus(e.Relation.Name)
		}
		list.Views = append(list.Views, info)
	}
	s.send(w, r, http.StatusOK, list)
}

func kindName(k plan.RelationKind) string {
	switch k {
	case plan.View:
		return "view"
	case plan.Table:
		return "table"
	}
	return "stream"
}

func columnsOf(cols []plan.Column) []ViewColumn {
	out := make([]ViewColumn, len(cols))
	for i, c := range cols {
		out[i] = ViewColumn{Name: c.Name, Type: c.Type.String()}
	}
	return out
}

// stored finds a view or table by the name in the path, or answers.
func (s *Server) stored(w http.ResponseWriter, r *http.Request) *view.Entry {
	name := r.PathValue("name")
	e, ok := s.cfg.Views.Snapshot().Lookup("", name)
	if !ok {
		s.fail(w, r, http.StatusNotFound, FailureBody{Code: "not_found", Message: "There is no view \"" + name + "\".", Hint: "GET /api/views lists them."})
		return nil
	}
	if e.Table == nil {
		s.fail(w, r, http.StatusBadRequest, FailureBody{Code: "not_stored", Message: "\"" + name + "\" is a stream: its rows are not stored.",
			Hint: "Make a materialized view over it, or look at /api/events."})
		return nil
	}
	if s.cfg.Await != nil {
		if err := s.cfg.Await(r.Context()); err != nil {
			s.failWith(w, r, err, "")
			return nil
		}
	}
	return e
}

func (s *Server) viewRows(w http.ResponseWriter, r *http.Request) {
	e := s.stored(w, r)
	if e == nil {
		return
	}
	n, ok := s.limit(w, r, 200, maxRows)
	if !ok {
		return
	}
	sel, err := selectionOf(e, r, n)
	if err != nil {
		s.failWith(w, r, err, "")
		return
	}
	v := e.Table.Version()
	rows, total, err := sel.read(r.Context(), v)
	if err != nil {
		s.failWith(w, r, err, "")
		return
	}
	s.send(w, r, http.StatusOK, Rows{Name: e.Relation.Name, Columns: columnsOf(e.Relation.Columns), Rows: rows, Step: v.Step, Total: total})
}

// appendRow writes row i as a JSON array of all columns, or of those in only.
func appendRow(dst []byte, cols []*vec.Vector, only []int, i int) []byte {
	dst = append(dst, '[')
	write := func(k int, col *vec.Vector) {
		if k > 0 {
			dst = append(dst, ',')
		}
		dst = value.AppendJSON(dst, col, i)
	}
	if only == nil {
		for k, col := range cols {
			write(k, col)
		}
	}
	for k, c := range only {
		write(k, cols[c])
	}
	return append(dst, ']')
}

// viewLive sends a view's rows and then what every step changes.
func (s *Server) viewLive(w http.ResponseWriter, r *http.Request) {
	e := s.stored(w, r)
	if e == nil {
		return
	}
	limit, ok := s.limit(w, r, snapshotRows, maxRows)
	if !ok {
		return
	}
	v, sub := e.Table.Subscribe(subscriptionBuf) // before the answer begins: what changes after that is a change to the client
	defer sub.Close()
	s.live(w, r, func(st *stream, r *http.Request) {
		seen := v.Step
		if r.Header.Get("Last-Event-ID") != stepID(v.Step) {
			s.snapshot(st, r, e, v, limit)
		}
		st.flush()
		for st.err == nil {
			select {
			case <-r.Context().Done():
				return
			case <-s.cfg.Clock.After(heartbeat):
				st.beat()
			case d, open := <-sub.C():
				if !open {
					return // dropped: the client comes back and hears what became of the view
				}
				seen = s.change(st, r, e, d, seen, limit)
				for more := true; more && st.err == nil; {
					select {
					case d, open := <-sub.C():
						if more = open; open {
							seen = s.change(st, r, e, d, seen, limit)
						}
					default:
						more = false
					}
				}
				if sub.Lost() { // and nothing may follow that would say so
					if v := e.Table.Version(); v.Step > seen {
						s.snapshot(st, r, e, v, limit)
						seen = v.Step
					}
				}
				st.flush()
			}
		}
	})
}

func stepID(step uint64) string { return strconv.FormatUint(step, 10) }

func (s *Server) snapshot(st *stream, r *http.Request, e *view.Entry, v *state.Version, limit int) {
	rows, total, err := (&selection{order: -1, limit: limit}).read(r.Context(), v)
	if err != nil {
		st.err = err
		return
	}
	st.send("snapshot", stepID(v.Step), Rows{Name: e.Relation.Name, Columns: columnsOf(e.Relation.Columns), Rows: rows, Step: v.Step, Total: total})
}

// change sends one delta and returns the step up to which the client has seen the view.
func (s *Server) change(st *stream, r *http.Request, e *view.Entry, d state.Delta, seen uint64, limit int) uint64 {
	if d.Step <= seen {
		return seen
	}
	if d.Resync {
		v := e.Table.Version()
		s.snapshot(st, r, e, v, limit)
		return v.Step
	}
	c := Change{Step: d.Step, Upserts: rowsOf(d.Upserts, nil), Deletes: rowsOf(d.Deletes, e.Table.Key())}
	st.send("change", stepID(d.Step), c)
	return d.Step
}

func rowsOf(b *vec.Batch, only []int) []json.RawMessage {
	if b == nil {
		return []json.RawMessage{}
	}
	out := make([]json.RawMessage, 0, b.Rows())
	for n := range b.Rows() {
		i := n
		if b.Sel != nil {
			i = int(b.Sel[n])
		}
		out = append(out, appendRow(nil, b.Cols, only, i))
	}
	return out
}
