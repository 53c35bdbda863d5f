package exec

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/process/state"
)

// TestWhatAReplacedWriterTellsLateChangesNothing has two owners of a task tell their steps, one after the other, and puts what the first told at every place
// among what the second did, as if it had been frozen before the records were on their way. A follower shows the rows of a whole step
// after each record, and those of the last in the end.
func TestWhatAReplacedWriterTellsLateChangesNothing(t *testing.T) {
	w := newWorld(t, 2)
	w.mustDeclare(`CREATE SOURCE bids (auction BIGINT, price BIGINT) WITH (topic = 'bids', format = 'json')`)
	w.mustDeclare(`CREATE MATERIALIZED VIEW per_auction AS SELECT auction, count(*) AS n FROM bids GROUP BY auction`)
	w.mustDeclare(`CREATE MATERIALIZED VIEW per_count AS SELECT n, count(*) AS auctions FROM per_auction GROUP BY n`)
	w.mustDeclare(`CREATE MATERIALIZED VIEW dear AS SELECT price FROM bids WHERE price > 3`) // a bag: a row that counts twice shows
	random := rand.New(rand.NewPCG(3, 4))
	sent := 0
	feed := func(p *process) { // one step or two
		t.Helper()
		var recs []string
		for range 1 + random.IntN(4) {
			recs = append(recs, fmt.Sprintf(`{"auction":%d,"price":%d}`, random.IntN(4), random.IntN(6)))
		}
		w.send("bids", recs...)
		sent += len(recs)
		w.until("all is read", func() bool { return p.total("per_auction") == sent })
	}
	a, b := w.process("a"), w.process("b")
	a.do(w.ctx, a.Run)
	w.until("a's views are live", func() bool { v, _ := a.View("dear"); return v.Status().Phase == Live })
	for range 6 {
		feed(a)
	}
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	b.do(w.ctx, b.Run)
	<-b.Shown()
	for range 3 {
		feed(b)
	}
	if err := b.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	x := w.tellings(b)
	middle := x.after[len(x.after)-1].Seq
	for range 3 {
		feed(b)
	}
	x = w.tellings(b)
	want := b.all()
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	if len(x.before) < 9 || len(x.after) < 24 || !slices.ContainsFunc(x.after, func(c *served) bool { return c.Seq == x.before[0].Seq }) {
		t.Fatalf("%d records of the first, %d of the second; the second takes none of the first's steps again", len(x.before), len(x.after))
	}
	x.clean()
	if x.shows[x.last()] != want {
		t.Fatalf("in order a follower shows\n%s\nwant\n%s", x.shows[x.last()], want)
	}
	for soon := range len(x.before) + 1 {
		late := x.before[soon:]
		for at := range len(x.after) + 1 {
			x.follow(x.flushed, slices.Concat(x.before[:soon], x.after[:at], late, x.after[at:]))
		}
	}
	// In pieces, and not all of it; and for who begins to read when the second has flushed and what it had told before was cut off.
	for range 300 {
		from, soon := x.flushed, random.IntN(len(x.before))
		log, late := slices.Concat(x.before[:soon], x.after), x.before[soon:]
		if random.IntN(2) == 0 {
			from, soon = middle, 0
			log = slices.DeleteFunc(slices.Clone(x.after), func(c *served) bool { return c.Seq <= from })
		}
		at := soon
		for _, c := range late[:random.IntN(len(late)+1)] {
			at += random.IntN(len(log) - at + 1)
			log = slices.Insert(log, at, c)
			at++
		}
		x.follow(from, log)
	}
}

// tellings is what two owners of a task told, and what the views show after each step.
type tellings struct {
	t             *testing.T
	p             *process
	flushed       uint64 // the step that the second began from
	before, after []*served
	shows         map[uint64]string
}

// tellings reads what was told, each view of a step in a record of its own.
func (w *world) tellings(p *process) *tellings {
	w.t.Helper()
	x := &tellings{t: w.t, p: p, shows: map[uint64]string{}}
	writers := []uint64{}
	err := w.cluster.ReadTail(w.ctx, p.cfg.own(ServedTopic), time.Time{}, func(r *kgo.Record) {
		c, err := parseServed(r.Value)
		if err != nil || c.status != nil {
			return
		}
		if !slices.Contains(writers, c.Writer) {
			writers = append(writers, c.Writer)
		}
		if c.Writer == writers[0] {
			x.before = append(x.before, x.apart(c)...)
		} else {
			x.after = append(x.after, x.apart(c)...)
		}
	})
	if err != nil || len(writers) != 2 {
		w.t.Fatalf("%d writers, %v", len(writers), err)
	}
	x.flushed = x.after[0].Prev
	return x
}

// apart is a step as several records, one for each view.
func (x *tellings) apart(c *served) []*served {
	x.t.Helper()
	var out []*served
	err := c.eachView(func(v *servedRows) error {
		one := *c
		b := appendString(nil, v.name)
		b = binary.AppendUvarint(b, uint64(v.job))
		b = append(b, v.print[:]...)
		b = binary.LittleEndian.AppendUint32(b, uint32(v.count))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(v.bytes)))
		one.Last, one.views = false, append(b, v.bytes...)
		out = append(out, &one)
		return nil
	})
	if err != nil || len(out) == 0 {
		x.t.Fatal(len(out), err)
	}
	out[len(out)-1].Last = true
	return out
}

func (c *served) bytes() []byte {
	b := append(c.head(), c.views...)
	if c.Last {
		b[lastAt] = 1
	}
	return b
}

func (x *tellings) last() uint64 { return x.after[len(x.after)-1].Seq }

// clean notes what a follower shows after each step that was told in time.
func (x *tellings) clean() {
	x.t.Helper()
	f := x.begin()
	for _, c := range slices.Concat(x.before, x.after) {
		if c.Prev > f.have { // nothing changed between that and the flush
			f.have = c.Prev
		}
		if err := f.take(c.bytes()); err != nil {
			x.t.Fatal(err)
		}
		x.shows[f.have] = x.p.all()
	}
}

// begin is a follower of views without rows.
func (x *tellings) begin() *follower {
	f := &follower{task: &task{Engine: x.p.Engine}, views: map[string]*followed{}, parts: map[uint64]*servedParts{}}
	jobs := map[string]uint32{}
	for _, c := range x.after {
		_ = c.eachView(func(v *servedRows) error { jobs[v.name] = v.job; return nil })
	}
	for _, v := range x.p.Views() {
		f.views[v.Relation.Name] = &followed{View: v, job: jobs[v.Relation.Name], rows: state.NewRows(columnTypes(v.Relation.Columns))}
		f.pub.Apply(0, v.Table.Clear)
	}
	return f
}

// load is a follower that has read what was flushed.
func (x *tellings) load(flushed uint64) *follower {
	x.t.Helper()
	f := x.begin()
	for _, c := range slices.Concat(x.before, x.after) {
		if c.Seq > flushed {
			continue
		}
		if c.Prev > f.have {
			f.have = c.Prev
		}
		if err := f.take(c.bytes()); err != nil {
			x.t.Fatal(err)
		}
	}
	f.have = flushed
	return f
}

// follow has a follower that has read what was flushed read on.
func (x *tellings) follow(flushed uint64, log []*served) {
	x.t.Helper()
	f := x.load(flushed)
	var order []string
	for _, c := range log {
		order = append(order, fmt.Sprintf("%d/%x", c.Seq, byte(c.Writer>>8)))
		if err := f.take(c.bytes()); err != nil {
			x.t.Fatalf("after %s: %v", strings.Join(order, " "), err)
		}
		if want, ok := x.shows[f.have]; ok && x.p.all() != want {
			x.t.Fatalf("after %s, at step %d, a follower shows\n%s\nwant\n%s", strings.Join(order, " "), f.have, x.p.all(), want)
		}
	}
	if f.have != x.last() || len(f.parts) > 0 {
		x.t.Fatalf("after %s a follower is at step %d and waits for the rest of %d", strings.Join(order, " "), f.have, len(f.parts))
	}
}

// all are the rows of all views.
func (p *process) all() string {
	var out []string
	for _, v := range p.Views() {
		out = append(out, v.Relation.Name, p.rows(v.Relation.Name))
	}
	return strings.Join(out, "\n")
}

// total is the sum of a view's second column.
func (p *process) total(view string) int {
	v, _ := p.View(view)
	n := int64(0)
	for b := range v.Table.Version().Scan(0) {
		for i := range b.N {
			n += b.Cols[1].Ints[i]
		}
	}
	return int(n)
}
