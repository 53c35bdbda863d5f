package exec

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/process/plan"
)

// TestManyKeysRestartQuickly is a long loop: MYELIN_KEYS=1000000 runs it. It prints how long many keys take to count, to flush and
// to bring back.
func TestManyKeysRestartQuickly(t *testing.T) {
	keys, err := strconv.Atoi(os.Getenv("MYELIN_KEYS"))
	if err != nil {
		t.Skip("MYELIN_KEYS is not set")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	w := &world{t: t, ctx: ctx, clock: clock.NewManual(noon), parts: 2, rels: map[string]*plan.Relation{}}
	fs := vfs.NewMem()
	m := w.boot(fs)
	w.mustDeclare(`CREATE SOURCE s (k TEXT, n BIGINT) WITH (topic = 's'); CREATE MATERIALIZED VIEW v AS SELECT k, count(*) AS c, sum(n) AS n FROM s GROUP BY k;`)
	w.fs = fs
	began := time.Now()
	lap := func(what string) {
		t.Logf("%-28s %v", what, time.Since(began).Round(time.Millisecond))
		began = time.Now()
	}
	for at := 0; at < keys; at += 10_000 {
		var recs []*kgo.Record
		for i := range 10_000 {
			recs = append(recs, &kgo.Record{Topic: "s", Value: fmt.Appendf(nil, `{"k":"user-%032d","n":%d}`, at+i, i)})
		}
		if err := w.cluster.Client().ProduceSync(ctx, recs...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	lap("produced")
	cpu := cpuTime()
	w.startQuick()
	w.settle()
	lap("counted")
	t.Logf("%-28s %.0f ns per record, log included", "cpu", float64(cpuTime()-cpu)/float64(keys))
	if err := w.engine.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	lap("flushed")
	v, _ := w.engine.View("v")
	s := v.Status()
	t.Logf("%-28s operators %d MiB, table %d MiB", "memory", s.StateBytes>>20, v.Table.Size()>>20)
	w.stop()
	began = time.Now()
	w.startQuick()
	w.settle()
	lap("restarted")
	if got := w.table("v").Version().Rows(); got != keys {
		t.Errorf("%d rows; want %d", got, keys)
	}
	w.stop()
	m.off()
}
