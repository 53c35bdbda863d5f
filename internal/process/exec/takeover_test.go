package exec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/clock"
)

// process is one of several that share a task.
type process struct {
	*Engine
	end  func() error  // stops what it does and returns how that ended
	over chan struct{} // closed when that ended
}

func (w *world) process(name string) *process {
	w.t.Helper()
	e, err := New(Config{
		Dir: "state", FS: vfs.NewMem(), Clock: clock.NewManual(noon), Log: slog.New(slog.NewTextHandler(logTo{w.t}, nil)), MaxRows: 64, Poll: 10 * time.Millisecond,
		Task: 3, Shared: true, Owner: &Owner{Node: name, Address: "http://" + name},
	}, w.cluster)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := e.Apply(w.ctx, w.objects); err != nil {
		w.t.Fatal(err)
	}
	p := &process{Engine: e}
	w.t.Cleanup(func() {
		if p.end != nil {
			p.end()
		}
	})
	return p
}

func (p *process) do(ctx context.Context, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	done, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(over)
		done <- f(ctx)
	}()
	p.over = over
	p.end = func() error {
		cancel()
		err := <-done
		done <- err
		return err
	}
}

// again runs the task anew, as a node does, where a commit failed whose fate only that can tell: brokers that are slow may have it so.
func (p *process) again(w *world, what string) {
	w.t.Helper()
	select {
	case <-p.over:
	default:
		return
	}
	err := p.end()
	if !errors.Is(err, ErrFenced) {
		w.t.Fatalf("%s: process %s ended with %v", what, p.cfg.Owner.Node, err)
	}
	w.t.Logf("%s: process %s ended with %v", what, p.cfg.Owner.Node, err)
	p.do(w.ctx, p.Run)
}

func (p *process) rows(name string) string {
	v, _ := p.View(name)
	var out []string
	for b := range v.Table.Version().Scan(0) {
		out = append(out, batchText(b)...)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// TestATaskMovesBetweenProcessesAndEachShowsItsViews lets processes take a task from each other, with and without the owner knowing, while
// rows come in.
func TestATaskMovesBetweenProcessesAndEachShowsItsViews(t *testing.T) {
	w := newWorld(t, 2)
	w.mustDeclare(`CREATE SOURCE bids (auction BIGINT, price BIGINT) WITH (topic = 'bids', format = 'json')`)
	w.mustDeclare(`CREATE MATERIALIZED VIEW per_auction AS SELECT auction, count(*) AS n, sum(price) AS total FROM bids GROUP BY auction`)
	w.mustDeclare(`CREATE MATERIALIZED VIEW busy AS SELECT n, count(*) AS auctions FROM per_auction GROUP BY n`)
	w.mustDeclare(`CREATE SINK out FROM per_auction WITH (topic = 'myelin.out.per_auction')`)
	random := rand.New(rand.NewPCG(7, 7))
	counts, totals := map[int]int{}, map[int]int{}
	feed := func(n int) {
		var recs []string
		for range n {
			a, price := random.IntN(20), random.IntN(1000)
			counts[a]++
			totals[a] += price
			recs = append(recs, fmt.Sprintf(`{"auction":%d,"price":%d}`, a, price))
		}
		w.send("bids", recs...)
	}
	want := func() (auctions, busy string) {
		var a, b []string
		by := map[int]int{}
		for k, c := range counts {
			a = append(a, fmt.Sprintf("%d | %d | %d", k, c, totals[k]))
			by[c]++
		}
		for n, c := range by {
			b = append(b, fmt.Sprintf("%d | %d", n, c))
		}
		slices.Sort(a)
		slices.Sort(b)
		return strings.Join(a, "\n"), strings.Join(b, "\n")
	}
	agree := func(what string, ps ...*process) {
		t.Helper()
		auctions, busy := want()
		for i, p := range ps {
			w.until(fmt.Sprintf("%s: process %d shows all", what, i), func() bool {
				p.again(w, what)
				return p.rows("per_auction") == auctions && p.rows("busy") == busy
			})
		}
	}
	a, b := w.process("a"), w.process("b")
	defer watch(t, a, "per_auction", 1)()
	defer watch(t, b, "per_auction", 1)()
	a.do(w.ctx, a.Run)
	<-a.Shown()
	b.do(w.ctx, b.Follow)
	feed(300)
	agree("at first", a, b)
	w.until("b has heard of a", func() bool { o, _ := b.Heard(); return o.Node == "a" })
	for round := range 6 {
		feed(100)
		if round%3 == 1 {
			if err := a.Flush(w.ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.end(); err != nil {
			t.Fatal(err)
		}
		if round%2 == 0 { // the owner is gone before
			if err := a.end(); err != nil {
				t.Fatal(err)
			}
			b.do(w.ctx, b.Run)
		} else { // the owner does not know
			b.do(w.ctx, b.Run)
			feed(50)
			agree("taken over", b)
			feed(50)
			<-a.over
			if err := a.end(); !errors.Is(err, ErrFenced) {
				t.Fatalf("the old owner ended with %v", err)
			}
		}
		a.do(w.ctx, a.Follow)
		feed(100)
		agree(fmt.Sprintf("round %d", round), a, b)
		a, b = b, a
	}
	if err := a.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	auctions, _ := want()
	w.checkChanges("myelin.out.per_auction", strings.Split(auctions, "\n"))
}

// watch reads a view all the time, whose column only grows in sum, until the function that it returns is called: rows that were
// shown once must not go while the task moves.
func watch(t *testing.T, p *process, view string, column int) (stop func()) {
	t.Helper()
	done, ended := make(chan struct{}), make(chan struct{})
	v, _ := p.View(view)
	go func() {
		defer close(ended)
		most, steps := int64(0), uint64(0)
		for {
			select {
			case <-done:
				return
			default:
			}
			sum := int64(0)
			version := v.Table.Version()
			for b := range version.Scan(0) {
				for i := range b.Rows() {
					sum += b.Cols[column].Ints[i]
				}
			}
			if sum < most || version.Step < steps {
				t.Errorf("%s of process %s went back from %d (step %d) to %d (step %d)", view, p.cfg.Owner.Node, most, steps, sum, version.Step)
				return
			}
			most, steps = sum, version.Step
			runtime.Gosched()
		}
	}()
	return func() { close(done); <-ended }
}

// TestAFrozenOwnerDoesNothingMore stops an owner between two steps, and lets it go on when another process has taken over, has made
// its state durable and has cut the steps that tell of that.
func TestAFrozenOwnerDoesNothingMore(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(`CREATE SOURCE bids (auction BIGINT, price BIGINT) WITH (topic = 'bids', format = 'json')`)
	w.mustDeclare(`CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n FROM bids`)
	w.mustDeclare(`CREATE SINK out FROM total WITH (topic = 'myelin.out.total')`)
	sent := 0
	feed := func(n int) {
		for range n {
			w.send("bids", `{"auction":1,"price":1}`)
		}
		sent += n
	}
	shows := func(p *process) {
		t.Helper()
		w.until(fmt.Sprintf("%s shows %d", p.cfg.Owner.Node, sent), func() bool { return p.rows("total") == fmt.Sprint(sent) })
	}
	a, b := w.process("a"), w.process("b")
	a.do(w.ctx, a.Run)
	<-a.Shown()
	b.do(w.ctx, b.Follow)
	feed(20)
	shows(a)
	shows(b)
	for round := range 3 {
		frozen := make(chan struct{})
		if err := a.ask(w.ctx, func(*task) { <-frozen }); err != nil {
			t.Fatal(err)
		}
		saw := a.rows("total")
		if err := b.end(); err != nil {
			t.Fatal(err)
		}
		b.do(w.ctx, b.Run)
		feed(20)
		shows(b)
		if round > 0 {
			if err := b.Flush(w.ctx); err != nil { // the fence is cut off
				t.Fatal(err)
			}
		}
		if round > 1 {
			feed(20)
			shows(b)
		}
		close(frozen)
		<-a.over
		if err := a.end(); !errors.Is(err, ErrFenced) {
			t.Fatalf("round %d: the old owner ended with %v", round, err)
		}
		if a.rows("total") != saw {
			t.Fatalf("round %d: the old owner showed %s, and then %s", round, saw, a.rows("total"))
		}
		a.do(w.ctx, a.Follow)
		shows(a)
		feed(20)
		shows(a)
		shows(b)
		a, b = b, a
	}
}
