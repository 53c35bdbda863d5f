package exec

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/log"
)

// TestLargeEntriesOutliveCompaction writes entries of all sizes, again and again, leaves out some records that have a newer one of the same key, as
// compaction may at any moment, and reads what is left.
func TestLargeEntriesOutliveCompaction(t *testing.T) {
	w := newWorld(t, 1)
	tk := &task{Engine: w.process("p").Engine}
	for seed := range 6 {
		random := rand.New(rand.NewPCG(uint64(seed), 9))
		topic := fmt.Sprint("entries", seed)
		w.topic(topic)
		keys := [][]byte{bytes.Repeat([]byte{0, 0, 0, 1, 0, 'x'}, 2), bytes.Repeat([]byte{0, 0, 0, 1, 0, 'y'}, largeKey/6+1), bytes.Repeat([]byte{0, 0, 0, 1, 0, 'z'}, largeEntry/4)}
		want := map[string]string{}
		var all []*kgo.Record
		for n := range 12 {
			key := keys[random.IntN(len(keys))]
			value := bytes.Repeat([]byte{byte(n)}, []int{0, 10, largeEntry - len(keys[0]), largeEntry, 3*largeEntry + n}[random.IntN(5)])
			if random.IntN(4) == 0 {
				value = nil
			}
			if all = appendEntry(all, topic, key, value); value == nil {
				delete(want, string(key))
			} else {
				want[string(key)] = string(value)
			}
		}
		var left []*kgo.Record
		for i, r := range all {
			newer := false
			for _, x := range all[i+1:] {
				newer = newer || string(x.Key) == string(r.Key)
			}
			// A null goes, too, once there is nothing before it.
			if newer && random.IntN(2) == 0 || r.Value == nil && !newer && seed%2 == 0 {
				if r.Value == nil && !newer {
					for k := range left {
						if left[k] != nil && string(left[k].Key) == string(r.Key) {
							left[k] = nil
						}
					}
				}
				continue
			}
			left = append(left, r)
		}
		for _, r := range left {
			if r == nil {
				continue
			}
			if len(r.Key)+len(r.Value) > 1<<20 {
				t.Fatalf("a record of %d bytes", len(r.Key)+len(r.Value))
			}
			if err := w.cluster.Client().ProduceSync(w.ctx, r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		got := map[string]string{}
		var read entries
		_, err := tk.readAll(w.ctx, topic, 0, func(c *log.Chunk, r *log.RawRecord) error {
			ch, ok := read.take(c, r)
			switch {
			case !ok:
			case ch.Value == nil:
				delete(got, string(ch.Key))
			default:
				got[string(ch.Key)] = string(ch.Value)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			v, ok := got[string(k)]
			if wanted, there := want[string(k)]; ok != there || v != wanted {
				t.Errorf("seed %d: a key of %d bytes has %d bytes (%v), want %d (%v)", seed, len(k), len(v), ok, len(wanted), there)
			}
		}
	}
}

// TestRowsLargerThanARecordAreKeptShownAndTakenOver has a value, and rows of a bag, which are keys of state, that no record can hold.
func TestRowsLargerThanARecordAreKeptShownAndTakenOver(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(`CREATE SOURCE notes (topic TEXT, note TEXT) WITH (topic = 'notes', format = 'json')`)
	w.mustDeclare(`CREATE MATERIALIZED VIEW collected AS SELECT topic, string_agg(note, '') AS texts, count(*) AS n FROM notes GROUP BY topic`)
	w.mustDeclare(`CREATE MATERIALIZED VIEW bag AS SELECT texts || texts AS twice, n FROM collected WHERE n < 5`)
	note := func(n int, text string) string {
		return fmt.Sprintf(`{"userId":"u","topic":"a","note":%q,"n":%d}`, text, n)
	}
	lengths := func(p *process, view string) string {
		v, _ := p.View(view)
		var out []string
		for b := range v.Table.Version().Scan(0) {
			for i := range b.N {
				var cells []string
				for _, c := range b.Cols {
					if c.Type.Kind == b.Cols[0].Type.Kind {
						cells = append(cells, fmt.Sprint(len(c.Bytes(i))))
					} else {
						cells = append(cells, fmt.Sprint(c.Ints[i]))
					}
				}
				out = append(out, strings.Join(cells, "/"))
			}
		}
		return strings.Join(out, " ")
	}
	const size = 400_000
	a, b := w.process("a"), w.process("b")
	shows := func(collected, bag string, ps ...*process) {
		t.Helper()
		for _, p := range ps {
			w.until(fmt.Sprintf("%s shows %s and %s", p.cfg.Owner.Node, collected, bag), func() bool {
				return lengths(p, "collected") == collected && lengths(p, "bag") == bag
			})
		}
	}
	a.do(w.ctx, a.Run)
	b.do(w.ctx, b.Follow)
	for n := range 4 {
		w.send("notes", note(n, strings.Repeat(string('a'+rune(n)), size)))
		shows(fmt.Sprintf("1/%d/%d", (n+1)*size, n+1), fmt.Sprintf("%d/%d", 2*(n+1)*size, n+1), a, b)
		if n == 2 {
			if err := a.Flush(w.ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := a.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	// One without a copy of the state.
	fresh := w.process("fresh")
	fresh.cfg.FS = vfs.NewMem()
	fresh.do(w.ctx, fresh.Follow)
	shows(fmt.Sprintf("1/%d/4", 4*size), fmt.Sprintf("%d/4", 8*size), a, b, fresh)
	for _, p := range []*process{a, b} {
		if err := p.end(); err != nil {
			t.Fatal(err)
		}
	}
	b.do(w.ctx, b.Run)
	w.send("notes", note(4, "x"))
	shows(fmt.Sprintf("1/%d/5", 4*size+1), "", b, fresh)
	if err := b.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	last := w.process("last")
	last.do(w.ctx, last.Follow)
	shows(fmt.Sprintf("1/%d/5", 4*size+1), "", last)
}

// TestARowThatNoTopicTakesHoldsUpNoOther: it is told, and the rows after it are sent.
func TestARowThatNoTopicTakesHoldsUpNoOther(t *testing.T) {
	for _, shared := range []bool{false, true} {
		w := newWorld(t, 1)
		w.shared = shared
		w.mustDeclare(`CREATE SOURCE notes (topic TEXT, note TEXT) WITH (topic = 'notes', format = 'json')`)
		w.mustDeclare(`CREATE MATERIALIZED VIEW collected AS SELECT topic, string_agg(note, '') AS texts, count(*) AS n FROM notes GROUP BY topic`)
		w.mustDeclare(`CREATE SINK out FROM collected WITH (topic = 'myelin.out.collected')`)
		w.start()
		for _, text := range []string{strings.Repeat("x", 600_000), strings.Repeat("y", 600_000), ""} {
			w.send("notes", fmt.Sprintf(`{"userId":"u","topic":"a","note":%q}`, text))
			w.settle()
		}
		w.send("notes", `{"userId":"u","topic":"b","note":"short"}`)
		w.settle()
		if err := w.engine.Flush(w.ctx); err != nil { // waits until all is sent
			t.Fatal(err)
		}
		var sent []string
		for _, r := range w.outRecords("myelin.out.collected") {
			sent = append(sent, fmt.Sprintf("%s %d", r.Key, len(r.Value)))
		}
		if len(sent) != 2 || !strings.HasPrefix(sent[0], "a 6000") || !strings.HasPrefix(sent[1], "b ") {
			t.Errorf("sent %v", sent)
		}
		if s := w.status("collected"); s.Errors != 2 || len(s.RecentErrors) != 2 || !strings.Contains(s.RecentErrors[0].Reason, "not sent to topic myelin.out.collected") {
			t.Errorf("%d errors: %+v", s.Errors, s.RecentErrors)
		}
		w.stop()
	}
}
