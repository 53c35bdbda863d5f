package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/serve/query"
	"myelin/internal/serve/value"
	"myelin/internal/serve/view"
	"myelin/internal/vec"
)

// selection is which rows of a view are wanted.
type selection struct {
	where []condition
	order int // column; -1: none
	desc  bool
	limit int
}

type condition struct {
	col   int
	value *vec.Vector // one row
}

func selectionOf(e *view.Entry, r *http.Request, limit int) (*selection, error) {
	sel := &selection{order: -1, limit: limit}
	column := func(name string) (int, error) {
		i := slices.IndexFunc(e.Relation.Columns, func(c plan.Column) bool { return c.Name == name })
		if i < 0 {
			var names []string
			for _, c := range e.Relation.Columns {
				names = append(names, c.Name)
			}
			return 0, &query.Error{Code: "42703", Message: fmt.Sprintf("view \"%s\" has no column \"%s\"", e.Relation.Name, name),
				Hint: "It has " + strings.Join(names, ", ") + "."}
		}
		return i, nil
	}
	for key, values := range r.URL.Query() {
		var err error
		switch name, isWhere := strings.CutPrefix(key, "where."); {
		case isWhere:
			col, err := column(name)
			if err != nil {
				return nil, err
			}
			t := e.Relation.Columns[col].Type
			v, err := value.Style{}.ReadText([]byte(values[0]), t)
			if err != nil {
				return nil, query.Errorf(query.CodeInvalidText, "\"%.100s\" is no %s, which column \"%s\" needs", values[0], t, name)
			}
			sel.where = append(sel.where, condition{col, v})
		case key == "order":
			sel.order, err = column(values[0])
		case key == "desc":
			sel.desc = values[0] != "0" && values[0] != "false"
		}
		if err != nil {
			return nil, err
		}
	}
	return sel, nil
}

// read returns the rows wanted and how many there would be without the limit. It never holds more than about four times
// the limit.
func (sel *selection) read(ctx context.Context, v *state.Version) (rows []json.RawMessage, total int64, err error) {
	kept := newKept(v.Types())
	for b := range v.Scan(0) {
		if ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		for i := range b.N {
			if !sel.match(b, i) {
				continue
			}
			total++
			if sel.order < 0 && kept.n >= sel.limit {
				continue
			}
			kept.add(b, i)
		}
		if sel.order >= 0 && kept.n > 4*sel.limit+1000 {
			kept.sort(sel)
		}
	}
	if sel.order >= 0 {
		kept.sort(sel)
	}
	rows = make([]json.RawMessage, 0, min(kept.n, sel.limit))
	for i := range min(kept.n, sel.limit) {
		rows = append(rows, appendRow(nil, kept.cols, nil, i))
	}
	return rows, total, nil
}

func (sel *selection) match(b *vec.Batch, i int) bool {
	for _, c := range sel.where {
		if b.Cols[c.col].IsNull(i) || vec.Compare(b.Cols[c.col], i, c.value, 0) != 0 {
			return false
		}
	}
	return true
}

// kept are rows in columns.
type kept struct {
	types []vec.Type
	cols  []*vec.Vector
	n     int
}

func newKept(types []vec.Type) *kept {
	k := &kept{types: types}
	for _, t := range types {
		k.cols = append(k.cols, vec.New(t, 0))
	}
	return k
}

func (k *kept) add(b *vec.Batch, i int) {
	for c, col := range k.cols {
		col.Append(b.Cols[c], i)
	}
	k.n++
}

// sort puts the wanted rows first and drops those behind the limit. NULLs come last, as in SQL, or first with desc.
func (k *kept) sort(sel *selection) {
	idx := make([]int32, k.n)
	for i := range idx {
		idx[i] = int32(i)
	}
	col := k.cols[sel.order]
	slices.SortStableFunc(idx, func(a, b int32) int {
		an, bn := col.IsNull(int(a)), col.IsNull(int(b))
		var c int
		switch {
		case an && bn:
		case an:
			c = 1
		case bn:
			c = -1
		default:
			c = vec.Compare(col, int(a), col, int(b))
		}
		if sel.desc {
			return -c
		}
		return c
	})
	idx = idx[:min(len(idx), sel.limit)]
	for c := range k.cols {
		sorted := &vec.Vector{}
		sorted.Gather(k.cols[c], idx)
		k.cols[c] = sorted
	}
	k.n = len(idx)
}
