package exec

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/process/state"
)

const countsDDL = numbersDDL + `
CREATE MATERIALIZED VIEW per_key AS SELECT k, count(*) AS c, sum(n) AS s FROM numbers GROUP BY k;
CREATE MATERIALIZED VIEW closed AS SELECT window_start, count(*) AS c FROM tumble(numbers, at, INTERVAL '10 seconds') GROUP BY window_start EMIT ON WINDOW CLOSE;`

// someNumbers are n records of one key from a number on, a second apart.
func someNumbers(from, n int, key string) []string {
	var out []string
	for i := range n {
		out = append(out, number(from+i, key, from+i))
	}
	return out
}

// counting is a world with one partition of numbers, whose views have counted n of them.
func counting(t *testing.T, n int) *world { return countingOn(t, n, brokers(t)) }

func countingOn(t *testing.T, n int, brokers []string) *world {
	w := newWorldOn(t, 1, brokers)
	w.mustDeclare(countsDDL)
	w.start()
	w.send("numbers", someNumbers(0, n, "a")...)
	w.settle()
	return w
}

// anew deletes a topic and makes it again.
func (w *world) anew(topic string) {
	w.t.Helper()
	if _, err := w.cluster.Admin().DeleteTopics(w.ctx, topic); err != nil {
		w.t.Fatal(err)
	}
	w.until("the topic is gone", func() bool {
		listed, err := w.cluster.Admin().ListTopics(w.ctx, topic)
		return err == nil && !listed.Has(topic)
	})
	w.topic(topic)
}

// sendTo appends JSON records to a partition.
func (w *world) sendTo(topic string, partition int32, records ...string) {
	w.t.Helper()
	cl, err := w.cluster.NewClient(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	for _, r := range records {
		if err := cl.ProduceSync(w.ctx, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(r), Timestamp: w.clock.Now()}).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// cut deletes the records of a topic's first partition before an offset.
func (w *world) cut(topic string, before int64) {
	w.t.Helper()
	var cut kadm.Offsets
	cut.AddOffset(topic, 0, before, -1)
	resp, err := w.cluster.Admin().DeleteRecords(w.ctx, cut)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestPartitionsThatATopicGetsAreRead(t *testing.T) {
	w := counting(t, 10)
	if _, err := w.cluster.Admin().CreatePartitions(w.ctx, 2, "numbers"); err != nil {
		t.Fatal(err)
	}
	w.parts = 3
	want := func(rows string) {
		t.Helper()
		w.until("all partitions are read", func() bool { w.clock.Advance(time.Second); return w.rows("per_key") == rows })
	}
	for p := range int32(3) {
		w.sendTo("numbers", p, someNumbers(10+10*int(p), 10, fmt.Sprint("p", p))...)
	}
	want("a | 10 | 45\np0 | 10 | 145\np1 | 10 | 245\np2 | 10 | 345")
	w.crash()
	w.sendTo("numbers", 2, someNumbers(100, 1, "b")...)
	want("a | 10 | 45\nb | 1 | 100\np0 | 10 | 145\np1 | 10 | 245\np2 | 10 | 345")
}

// TestATopicThatIsMadeAnew deletes a topic that views read, and makes it again with fewer and with more records than they had read.
func TestATopicThatIsMadeAnew(t *testing.T) {
	for _, again := range []int{5, 40} {
		for _, down := range []string{"", "stopped", "crashed"} {
			t.Run(fmt.Sprint(again, down), func(t *testing.T) {
				w := counting(t, 20)
				if down != "crashed" {
					if err := w.engine.Flush(w.ctx); err != nil {
						t.Fatal(err)
					}
				}
				if down != "" {
					w.stop()
				}
				w.anew("numbers")
				w.sendTo("numbers", 0, someNumbers(100, again, "b")...)
				if down != "" {
					w.start()
				}
				w.until("the views stand still, say why and show what they had", func() bool {
					w.clock.Advance(time.Second)
					s := w.status("per_key")
					return s.Phase == Paused && w.status("closed").Phase == Paused && strings.Contains(s.Problem, "topic numbers was deleted and made anew") &&
						(down == "crashed" || w.rows("per_key") == "a | 20 | 190")
				})
				w.crash()
				w.until("the views stand still after a restart", func() bool { return w.status("per_key").Phase == Paused })
				for _, v := range []string{"per_key", "closed"} {
					if err := w.engine.Resume(w.ctx, v); err != nil {
						t.Fatal(err)
					}
				}
				w.until("what the new topic has is counted, too", func() bool {
					return strings.Contains(w.rows("per_key"), fmt.Sprintf("b | %d | ", again))
				})
			})
		}
	}
}

// TestATopicThatIsMadeAnewUnderViewsThatGoOn has views that cannot stand still: they, and sinks, go on with the new topic, and views say so.
func TestATopicThatIsMadeAnewUnderViewsThatGoOn(t *testing.T) {
	w := newWorld(t, 1)
	file := filepath.Join(t.TempDir(), "names.csv")
	if err := os.WriteFile(file, []byte("k,name\na,Anna\nb,Bert\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.mustDeclare(countsDDL + `
CREATE TABLE names (k TEXT PRIMARY KEY, name TEXT) WITH (connector = 'file', path = '` + file + `');
CREATE MATERIALIZED VIEW named AS SELECT name, count(*) AS c FROM numbers JOIN names ON numbers.k = names.k GROUP BY name;
CREATE SINK big AS SELECT n, k FROM numbers WHERE n >= 5 WITH (topic = 'big');`)
	w.start()
	w.send("numbers", someNumbers(0, 10, "a")...)
	w.settle()
	w.anew("numbers")
	w.sendTo("numbers", 0, someNumbers(0, 7, "b")...)
	w.until("the view goes on", func() bool { w.clock.Advance(time.Second); return w.rows("named") == "Anna | 10\nBert | 7" })
	if s := w.status("named"); !strings.Contains(s.Problem, "was deleted and made anew") || s.Phase != Live || w.status("per_key").Phase != Paused {
		t.Errorf("%+v", s)
	}
	w.crash()
	w.sendTo("numbers", 0, someNumbers(7, 1, "b")...)
	w.until("the view goes on", func() bool { w.clock.Advance(time.Second); return w.rows("named") == "Anna | 10\nBert | 8" })
	w.until("the sink has sent all", func() bool { return len(w.outRecords("big")) >= 5+2+1 })
	if err := w.engine.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	if n := len(w.outRecords("big")); n != 8 {
		t.Errorf("the sink sent %d records", n)
	}
}

// TestATopicIsDeletedForGood has views show what they had, also over a crash, and others go on.
func TestATopicIsDeletedForGood(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(countsDDL + `
CREATE SOURCE others (n BIGINT, k TEXT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'others');
CREATE MATERIALIZED VIEW per_other AS SELECT k, count(*) AS c, sum(n) AS s FROM others GROUP BY k;`)
	w.start()
	w.send("numbers", someNumbers(0, 10, "a")...)
	w.send("others", someNumbers(0, 3, "a")...)
	w.settle()
	if err := w.engine.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.send("numbers", someNumbers(10, 10, "a")...)
	w.settle()
	if _, err := w.cluster.Admin().DeleteTopics(w.ctx, "numbers"); err != nil {
		t.Fatal(err)
	}
	told := func() bool {
		w.clock.Advance(time.Second)
		return strings.Contains(w.status("per_key").Problem, "topic numbers does not exist any more")
	}
	w.crash()
	w.until("the view says so", told)
	if got := w.rows("per_key"); got != "a | 10 | 45" { // of what came after the flush nothing is left
		t.Error(got)
	}
	w.send("others", someNumbers(3, 1, "a")...)
	w.until("the other view goes on", func() bool { return w.rows("per_other") == "a | 4 | 6" })
}

// TestTheStateTopicIsDeleted has views computed anew, and their output topics get what changes then.
func TestTheStateTopicIsDeleted(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(countsDDL + `CREATE SINK out FROM per_key WITH (topic = 'out');`)
	w.start()
	for n := range 10 {
		w.send("numbers", someNumbers(n, 1, "a")...)
		w.settle()
	}
	if err := w.engine.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.stop()
	if _, err := w.cluster.Admin().DeleteTopics(w.ctx, StateTopic); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.settle()
	w.send("numbers", someNumbers(10, 1, "b")...)
	w.settle()
	if got := w.rows("per_key"); got != "a | 10 | 45\nb | 1 | 10" {
		t.Error(got)
	}
	w.until("the change is sent", func() bool {
		out := w.outRecords("out")
		return string(out[len(out)-1].Key) == "b"
	})
}

// TestRecordsThatWereDeletedBeforeTheyWereRead has a view miss some, and say so.
func TestRecordsThatWereDeletedBeforeTheyWereRead(t *testing.T) {
	w := counting(t, 10)
	w.stop()
	w.send("numbers", someNumbers(10, 10, "a")...)
	w.cut("numbers", 15)
	w.start()
	w.settle()
	s := w.status("per_key")
	if !strings.Contains(s.Problem, "deleted before") || s.Errors == 0 {
		t.Errorf("rows %s; %+v", w.rows("per_key"), s)
	}
}

func TestACopyThatIsAheadOfTheChangelogIsMadeAnew(t *testing.T) {
	w := counting(t, 10)
	w.stop()
	d, err := state.OpenDisk(w.fs, "state")
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Mark()
	if err != nil {
		t.Fatal(err)
	}
	var m diskMark
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	m.Next += 1000
	b, _ = json.Marshal(m)
	key := append(storeKey(2, 0), "nonsense"...)
	if err := d.Apply(state.Told([]state.Change{{Key: key, Value: []byte("x")}}), b); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.settle()
	if got := w.rows("per_key"); got != "a | 10 | 45" {
		t.Error(got)
	}
}

// TestTheClockWasFarAhead starts on a machine whose clock was years ahead in an earlier run.
func TestTheClockWasFarAhead(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(countsDDL)
	w.clock.Advance(9 * 365 * 24 * time.Hour)
	w.start()
	w.send("numbers", someNumbers(0, 10, "a")...)
	w.settle()
	w.stop()
	w.clock.Advance(-9 * 365 * 24 * time.Hour)
	w.start()
	w.send("numbers", someNumbers(10, 15, "a")...)
	w.settle()
	flushed := func(n int64) {
		t.Helper()
		w.until("state is made durable", func() bool { w.clock.Advance(time.Second); return w.engine.metrics.flushes.Value() >= n })
	}
	flushed(1)
	w.send("numbers", someNumbers(25, 1, "a")...)
	w.settle()
	flushed(2)
	w.until("windows close on the quiet stream", func() bool { w.clock.Advance(time.Second); return strings.Contains(w.rows("closed"), ":20 | 6") })
}

// TestATopicThatLostRecords has the brokers choose a leader that lacks records which views have read.
func TestATopicThatLostRecords(t *testing.T) {
	for _, down := range []bool{false, true} {
		fake, err := kfake.NewCluster(kfake.NumBrokers(2))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(fake.Close)
		w := countingOn(t, 20, fake.ListenAddrs())
		if err := w.engine.Flush(w.ctx); err != nil {
			t.Fatal(err)
		}
		if down {
			w.stop()
		}
		lost := atomic.Bool{}
		lost.Store(true)
		endsAt(fake, "numbers", 15, &lost)
		if err := fake.MoveTopicPartition("numbers", 0, 1-fake.LeaderFor("numbers", 0)); err != nil {
			t.Fatal(err)
		}
		if down {
			w.start()
		}
		w.until("the views stand still", func() bool {
			w.clock.Advance(time.Second)
			return w.status("per_key").Phase == Paused && w.status("closed").Phase == Paused
		})
		if s := w.status("per_key").Problem; !strings.Contains(s, "the records of numbers/0 at the offsets 15 up to 19 are not in the log any more") || !strings.Contains(s, "Resume it") {
			t.Errorf("problem %q", s)
		}
		if w.rows("per_key") != "a | 20 | 190" {
			t.Errorf("while it stands still: %s", w.rows("per_key"))
		}
		w.crash()
		w.until("the views stand still after a restart", func() bool {
			w.clock.Advance(time.Second)
			return w.status("per_key").Phase == Paused && w.status("closed").Phase == Paused
		})
		lost.Store(false) // what is there of the offsets from 15 on came in the place of what was lost
		w.sendTo("numbers", 0, someNumbers(20, 1, "b")...)
		for _, v := range []string{"per_key", "closed"} {
			if err := w.engine.Resume(w.ctx, v); err != nil {
				t.Fatal(err)
			}
		}
		w.until("what came in their place is counted, too", func() bool { return w.rows("per_key") == "a | 25 | 275\nb | 1 | 20" })
		if s := w.status("per_key"); s.Problem != "" {
			t.Errorf("afterwards: %q", s.Problem)
		}
		w.stop()
	}
}

// endsAt has a topic with one partition be, as long as on says, as if it ended at an offset.
func endsAt(fake *kfake.Cluster, topic string, end int64, on *atomic.Bool) {
	id := fake.TopicInfo(topic).TopicID
	fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		f := req.(*kmsg.FetchRequest)
		resp := f.ResponseKind().(*kmsg.FetchResponse)
		behind := false
		for _, t := range f.Topics {
			rt := kmsg.FetchResponseTopic{Topic: t.Topic, TopicID: t.TopicID}
			for _, p := range t.Partitions {
				rp := kmsg.NewFetchResponseTopicPartition()
				rp.Partition = p.Partition
				if t.TopicID == id && p.FetchOffset > end {
					behind, rp.ErrorCode = true, kerr.OffsetOutOfRange.Code
				}
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, behind && on.Load()
	})
	fake.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		f := req.(*kmsg.ListOffsetsRequest)
		if !on.Load() || len(f.Topics) != 1 || f.Topics[0].Topic != topic || f.Topics[0].Partitions[0].Timestamp != -1 {
			return nil, nil, false
		}
		resp := f.ResponseKind().(*kmsg.ListOffsetsResponse)
		p := kmsg.NewListOffsetsResponseTopicPartition()
		p.Offset = end
		resp.Topics = []kmsg.ListOffsetsResponseTopic{{Topic: topic, Partitions: []kmsg.ListOffsetsResponseTopicPartition{p}}}
		return resp, nil, true
	})
}
