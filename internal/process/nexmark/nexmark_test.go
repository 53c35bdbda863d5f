package nexmark_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"myelin/internal/process/exec"
	"myelin/internal/process/fn"
	"myelin/internal/process/nexmark"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

const ddl = `
CREATE SOURCE person (id BIGINT, name TEXT, city TEXT, state TEXT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '4 seconds');
CREATE SOURCE auction (id BIGINT, seller BIGINT, category BIGINT, initial BIGINT, reserve BIGINT, item TEXT, at TIMESTAMP, expires TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '4 seconds');
CREATE SOURCE bid (id BIGINT, auction BIGINT, bidder BIGINT, price BIGINT, channel TEXT, url TEXT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '4 seconds')`

type house map[string]*stream

type stream struct {
	rel  *plan.Relation
	cols []*vec.Vector
}

func (h house) Relation(_, name string) (*plan.Relation, error) {
	if s := h[name]; s != nil {
		return s.rel, nil
	}
	return nil, nil
}

func (h house) add(table string, vals ...any) {
	for i, c := range h[table].cols {
		switch v := vals[i].(type) {
		case int64:
			c.AppendInt(v)
		case string:
			c.AppendString(v)
		}
	}
}

func open(t *testing.T, w nexmark.World) house {
	h := house{}
	for _, item := range sql.Parse(ddl) {
		r, err := plan.BindRelation(item.Stmt.(*sql.CreateRelation), ddl)
		if err != nil {
			t.Fatal(err)
		}
		s := &stream{rel: r}
		for _, c := range r.Columns {
			s.cols = append(s.cols, vec.New(c.Type, 0))
		}
		h[r.Name] = s
	}
	for _, p := range w.Persons {
		h.add("person", p.ID, p.Name, p.City, p.State, p.At)
	}
	for _, a := range w.Auctions {
		h.add("auction", a.ID, a.Seller, a.Category, a.Initial, a.Reserve, a.Item, a.At, a.Expires)
	}
	for _, b := range w.Bids {
		h.add("bid", b.ID, b.Auction, b.Bidder, b.Price, b.Channel, b.URL, b.At)
	}
	return h
}

func (h house) batch(s *plan.Scan, rows []int32) *vec.Batch {
	b := &vec.Batch{N: len(rows)}
	for _, c := range s.Columns {
		from := slices.IndexFunc(s.Relation.Columns, func(x plan.Column) bool { return x.Name == c.Name })
		v := vec.New(c.Type, 0)
		v.Gather(h[s.Relation.Name].cols[from], rows)
		b.Cols = append(b.Cols, v)
	}
	return b
}

func numbers(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

// once runs the query over all events.
func (h house) once(text string) (out []string, err error) {
	q, err := plan.BindText(text, h, plan.Options{})
	if err != nil {
		return nil, err
	}
	rows := func(_ context.Context, s *plan.Scan) iter.Seq2[*vec.Batch, error] {
		return func(yield func(*vec.Batch, error) bool) {
			yield(h.batch(s, numbers(h[s.Relation.Name].cols[0].Len())), nil)
		}
	}
	for b, err := range exec.RunBatch(context.Background(), q, fn.Env{}, rows) {
		if err != nil {
			return nil, err
		}
		each(b, func(row string, _ int) { out = append(out, row) })
	}
	return out, nil
}

// stream runs it as a view, over events that come in a random order of small steps, and gives what is left in the end.
func (h house) stream(text string, r *rand.Rand) (out []string, err error) {
	q, err := plan.BindText(text, h, plan.Options{Continuous: true})
	if err != nil {
		return nil, err
	}
	have := map[string]int{}
	ctx := &op.Ctx{Watermark: op.NoTime, Lateness: 1 << 50}
	p, err := op.Build(q, ctx, func(b *vec.Batch) { each(b, func(row string, sign int) { have[row] += sign }) })
	if err != nil {
		return nil, err
	}
	left := map[string][]int32{}
	for name, s := range h {
		left[name] = numbers(s.cols[0].Len())
		r.Shuffle(len(left[name]), func(i, k int) { left[name][i], left[name][k] = left[name][k], left[name][i] })
	}
	for more := true; more; {
		more = false
		for _, name := range []string{"bid", "person", "auction"} {
			n := min(1+r.IntN(40), len(left[name]))
			for _, s := range p.Sources {
				if s.Scan.Relation.Name == name && n > 0 {
					s.Push(h.batch(s.Scan, left[name][:n]))
				}
			}
			left[name] = left[name][n:]
			more = more || len(left[name]) > 0
		}
		p.EndStep(op.NoTime)
	}
	for row, n := range have {
		if n < 0 {
			return nil, fmt.Errorf("%s is taken back too often", row)
		}
		for range n {
			out = append(out, row)
		}
	}
	return out, nil
}

func each(b *vec.Batch, f func(row string, sign int)) {
	for k := range b.Rows() {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		var cells []string
		for _, c := range b.Cols {
			j := i
			if c.Len() == 1 {
				j = 0
			}
			switch {
			case c.IsNull(j):
				cells = append(cells, "-")
			case c.Type.Kind == vec.Numeric:
				cells = append(cells, decimal(c.Decs[j]))
			case c.Type.Kind == vec.Timestamp:
				cells = append(cells, fmt.Sprint(c.Ints[j]))
			default:
				cells = append(cells, string(vec.AppendText(nil, c, j)))
			}
		}
		f(strings.Join(cells, " "), int(b.Sign(i)))
	}
}

// decimal is a number with six digits behind the point at most.
func decimal(d vec.Decimal) string {
	d, err := d.Round(6)
	if err != nil {
		return err.Error()
	}
	return string(vec.AppendText(nil, &vec.Vector{Type: vec.Of(vec.Numeric), Decs: []vec.Decimal{d.Normal()}}, 0))
}

// TestQueries compares each query, run once and as a view, with a plain computation of its own.
func TestQueries(t *testing.T) {
	w := nexmark.Make(3000, 1)
	h := open(t, w)
	r := rand.New(rand.NewPCG(1, 2))
	for _, q := range queries {
		t.Run(q.name, func(t *testing.T) {
			want := q.plain(w)
			slices.Sort(want)
			if len(want) == 0 {
				t.Fatal("the plain computation gives nothing")
			}
			for i, run := range []func() ([]string, error){func() ([]string, error) { return h.once(q.sql) }, func() ([]string, error) { return h.stream(q.sql, r) }} {
				got, err := run()
				slices.Sort(got)
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%s: %v\n got %d: %.400s\nwant %d: %.400s", []string{"once", "as a view"}[i], err, len(got), strings.Join(got, "; "), len(want), strings.Join(want, "; "))
				}
			}
		})
	}
}
