package exec

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
)

// TestAFrozenOwnerWritesNoRowsOfATable has an owner find out what a file changes, and freeze before it says so; another one takes the task over
// meanwhile, and the file changes again.
func TestAFrozenOwnerWritesNoRowsOfATable(t *testing.T) {
	w := newWorld(t, 1)
	file := filepath.Join(t.TempDir(), "names.csv")
	write := func(rows string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte("k,name\n"+rows), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write("a,Anna\n")
	w.mustDeclare(`CREATE TABLE names (k TEXT PRIMARY KEY, name TEXT) WITH (connector = 'file', path = '` + file + `')`)
	a, b := w.process("a"), w.process("b")
	a.do(w.ctx, a.Run)
	shows := func(p *process, rows string) {
		t.Helper()
		w.until(p.cfg.Owner.Node+" shows "+rows, func() bool { return p.rows("names") == rows })
	}
	shows(a, "a | Anna")
	frozen, thaw, sent := make(chan error, 1), make(chan struct{}), make(chan error, 1)
	if err := a.ask(w.ctx, func(t *task) {
		write("a,Agnes\nb,Bert\n") // the old file, before it is changed again
		recs, err := t.jobs["names"].diffFile(file)
		frozen <- err
		<-thaw
		sent <- t.sendRows(context.WithoutCancel(w.ctx), recs)
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-frozen; err != nil {
		t.Fatal(err)
	}
	write("a,Anton\n")
	b.do(w.ctx, b.Run)
	shows(b, "a | Anton")
	close(thaw)
	if err := <-sent; !errors.Is(err, ErrFenced) {
		t.Errorf("the one that was replaced sends: %v", err)
	}
	write("a,Anton\nc,Cleo\n")
	w.until("b looks at its file", func() bool {
		b.cfg.Clock.(*clock.Manual).Advance(time.Second)
		return b.rows("names") == "a | Anton\nc | Cleo"
	})
	committed := 0
	if err := w.cluster.ReadTail(w.ctx, TablesTopic, noon.AddDate(-1, 0, 0), func(*kgo.Record) { committed++ }); err != nil || committed != 3 {
		t.Errorf("%d rows were sent, %v", committed, err)
	}
}
