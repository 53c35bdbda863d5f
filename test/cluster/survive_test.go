package cluster

import (
	"context"
	bits "encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"myelin/internal/log"
)

var shop = map[string]string{
	"myelin.yaml": `cluster: {node: NODE}
kafka: {brokers: [BROKERS]}
sources:
  - {name: backend, write_keys: [wk_backend]}
topics:
  events: {partitions: 4}
`,
	// Three views that do not read each other, so that three processes have something to do; one that reads another; a window; and two
	// topics.
	"sql/shop.sql": `CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n FROM events;
CREATE MATERIALIZED VIEW per_person AS SELECT user_key, count(*) AS n, sum((properties->>'price')::bigint) AS paid FROM events GROUP BY user_key;
CREATE MATERIALIZED VIEW by_count AS SELECT n, count(*) AS persons FROM per_person GROUP BY n;
CREATE MATERIALIZED VIEW per_second AS SELECT window_start, count(*) AS n FROM tumble(events, ts, INTERVAL '1 second') GROUP BY window_start;
CREATE SINK dear AS SELECT message_id, properties->>'price' AS price FROM events WHERE (properties->>'price')::bigint >= 50 WITH (topic = 'dear', format = 'json');
CREATE SINK persons FROM per_person WITH (topic = 'persons', format = 'json');
`,
}

// pauseLimit is how long views may stand still after any process was lost, where the machine is there for nothing else (MYELIN_SOAK_ROUNDS).
const pauseLimit = 10 * time.Second

// maxRounds of about a minute each are enough for soak runs that count others in hundreds.
const maxRounds = 20

// world is everything that runs.
type world struct {
	t     *testing.T
	kafka *kafka
	nodes []*node
	up    []atomic.Bool // nodes that may be asked

	producer *kgo.Client
	sent     atomic.Int64
	prices   map[string]int64 // by message; of the feeder until it ended
	persons  map[string][2]int64

	times struct {
		sync.Mutex
		of map[string][]time.Time // when the events of each person were sent
	}
}

func newWorld(t *testing.T, nodes int) *world {
	k := startKafka(t)
	w := &world{t: t, kafka: k, up: make([]atomic.Bool, nodes), prices: map[string]int64{}, persons: map[string][2]int64{}}
	w.times.of = map[string][]time.Time{}
	files := map[string]string{"sql/shop.sql": shop["sql/shop.sql"]}
	files["myelin.yaml"] = strings.ReplaceAll(shop["myelin.yaml"], "BROKERS", `"`+strings.Join(k.brokers(), `","`)+`"`)
	var g errgroup.Group
	for i := range nodes {
		n := newNode(t, fmt.Sprintf("node-%d", i+1), k.ports[3+i:], files)
		t.Cleanup(func() {
			_ = n.end(syscall.SIGKILL)
			if dir := os.Getenv("MYELIN_CLUSTER_LOGS"); dir != "" {
				_ = os.WriteFile(filepath.Join(dir, n.name+".log"), []byte(n.log.String()), 0o644)
			} else if t.Failed() {
				t.Logf("%s:\n%s", n.name, n.log.String())
			}
		})
		w.nodes = append(w.nodes, n)
	}
	for i, n := range w.nodes {
		g.Go(func() error {
			err := n.start()
			w.up[i].Store(err == nil)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	// Events come from somebody who gets over the loss of a broker as a process of Myelin does: his patience is none of what is measured.
	brokers, err := log.Open(log.Config{Brokers: k.brokers()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(brokers.Close)
	if w.producer, err = brokers.NewClient(kgo.RequiredAcks(kgo.AllISRAcks())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.producer.Close)
	return w
}

// feed sends events at a steady rate, also while brokers are away, until ctx ends, and returns once all are acknowledged.
func (w *world) feed(ctx context.Context, perSecond int) error {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	var failed error
	for n := int64(0); ctx.Err() == nil; n++ {
		id, user, price := fmt.Sprintf("m%d", n), fmt.Sprintf("u%d", random.IntN(40)), int64(random.IntN(100))
		value := fmt.Sprintf(`{"type":"track","event":"Order Completed","messageId":%q,"userId":%q,"properties":{"price":%d}}`, id, user, price)
		w.prices[id] = price
		p := w.persons[user]
		w.persons[user] = [2]int64{p[0] + 1, p[1] + price}
		rec := &kgo.Record{Topic: "events.in", Key: []byte(user), Value: []byte(value), Headers: []kgo.RecordHeader{{Key: "source", Value: []byte("backend")}}}
		w.sent.Add(1)
		w.times.Lock()
		w.times.of[user] = append(w.times.of[user], time.Now())
		w.times.Unlock()
		w.producer.Produce(context.Background(), rec, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = err
			}
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	flushing, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := w.producer.Flush(flushing); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return failed
}

// probes are queries whose answers grow with every event, one for each task that has views; perPerson tells of each person, and so of
// each partition.
var probes = []string{`SELECT n FROM total`, `SELECT user_key, n FROM per_person`, `SELECT sum(n) FROM per_second`}

const perPerson = 1

// freshness watches how long each probe stands still, and how long the events of each person take until they are shown. It asks every
// process that is up: the best answer counts, for a client asks another process when one is gone.
type freshness struct {
	mu     sync.Mutex
	since  [3]time.Time // of the last change
	n      [3]int64
	shown  map[string]int64 // events by person
	oldest time.Time        // when the first event was sent that is not shown
	from   time.Time        // when what is measured began
	worst  [3]time.Duration
	told   map[string]int64 // the last answer, by process and probe: what was shown once must not go
	back   []string         // answers that had less than one before
}

func (w *world) probe(ctx context.Context, f *freshness) {
	now := time.Now()
	f.since, f.shown, f.told = [3]time.Time{now, now, now}, map[string]int64{}, map[string]int64{}
	var g errgroup.Group
	for i := range w.nodes {
		for p := range probes {
			g.Go(func() error {
				tick := time.NewTicker(100 * time.Millisecond)
				defer tick.Stop()
				for ctx.Err() == nil {
					if w.up[i].Load() {
						w.look(f, i, p, w.ask(ctx, i, p))
					}
					select {
					case <-tick.C:
					case <-ctx.Done():
					}
				}
				return nil
			})
		}
	}
	_ = g.Wait()
}

// askLimit is how long an answer may take: where pauses are measured, less than one counts.
func askLimit() time.Duration {
	if os.Getenv("MYELIN_SOAK_ROUNDS") != "" {
		return 2 * time.Second
	}
	return 20 * time.Second
}

// ask returns the rows of a probe as numbers by person; "" for those that tell of no person.
func (w *world) ask(ctx context.Context, i, p int) map[string]int64 {
	ctx, cancel := context.WithTimeout(ctx, askLimit())
	defer cancel()
	rows, err := w.nodes[i].query(ctx, probes[p])
	if err != nil {
		return nil
	}
	out := map[string]int64{}
	for _, r := range rows {
		person := ""
		if p == perPerson {
			person = fmt.Sprint(r[0])
		}
		out[person], _ = strconv.ParseInt(fmt.Sprint(r[len(r)-1]), 10, 64)
	}
	return out
}

func (w *world) look(f *freshness, i, p int, answer map[string]int64) {
	w.times.Lock()
	defer w.times.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	now, sum := time.Now(), int64(0)
	for person, n := range answer {
		sum += n
		if p == perPerson {
			f.shown[person] = max(f.shown[person], n)
		}
	}
	if who := fmt.Sprint(w.nodes[i].name, " ", probes[p]); answer != nil { // else it was refused, or nobody answered
		if sum < f.told[who] {
			f.back = append(f.back, fmt.Sprintf("%s answered %d after %d", who, sum, f.told[who]))
		}
		f.told[who] = sum
	}
	f.worst[p] = max(f.worst[p], now.Sub(latest(f.since[p], f.from)))
	if sum > f.n[p] {
		f.n[p], f.since[p] = sum, now
	}
	if p != perPerson {
		return
	}
	f.oldest = now
	for person, sent := range w.times.of {
		if n := f.shown[person]; n < int64(len(sent)) && sent[n].Before(f.oldest) {
			f.oldest = sent[n]
		}
	}
	f.worst[p] = max(f.worst[p], now.Sub(latest(f.oldest, f.from)))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// take returns the longest pause of each probe since the last call, as far as it lies behind that.
func (f *freshness) take() [3]time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	worst := f.worst
	f.worst, f.from = [3]time.Duration{}, time.Now()
	return worst
}

// flowing waits until every probe has grown by so much.
func (w *world) flowing(f *freshness, by int64) {
	w.t.Helper()
	f.mu.Lock()
	from, began := f.n, time.Now()
	f.mu.Unlock()
	eventually(w.t, 4*time.Minute, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for p := range probes {
			if f.n[p] < from[p]+by {
				return fmt.Errorf("%q stands at %d", probes[p], f.n[p])
			}
		}
		if !f.oldest.After(began) {
			return fmt.Errorf("an event that was sent at %s is not shown", f.oldest)
		}
		return nil
	})
}

// divided waits until every process that is up runs views.
func (w *world) divided() clusterState {
	w.t.Helper()
	var s clusterState
	eventually(w.t, 3*time.Minute, func() (err error) {
		for i, n := range w.nodes {
			if !w.up[i].Load() {
				continue
			}
			if s, err = n.state(); err != nil {
				return err
			}
			busy, views := map[string]bool{}, 0
			for _, task := range s.Tasks {
				views += len(task.Views)
				if len(task.Views) > 0 {
					busy[task.Node] = true
				}
			}
			if views != 5 || len(busy) != len(w.nodes) || busy[""] {
				return fmt.Errorf("%s tells %+v", n.name, s)
			}
		}
		return nil
	})
	return s
}

// TestNodesSurviveTheLossOfAnyProcess feeds three processes on three Kafka nodes, kills one of each, and compares in the end.
func TestNodesSurviveTheLossOfAnyProcess(t *testing.T) {
	w := newWorld(t, 3)
	f := &freshness{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	feeding, stop := context.WithCancel(ctx)
	defer stop()
	fed, probed := make(chan error, 1), make(chan struct{})
	go func() { fed <- w.feed(feeding, 100) }()
	w.divided()
	go func() { defer close(probed); w.probe(ctx, f) }()
	w.flowing(f, 100)
	f.take()
	rounds, _ := strconv.Atoi(os.Getenv("MYELIN_SOAK_ROUNDS"))
	for round := range min(max(rounds, 1), maxRounds) {
		w.round(f, round)
	}
	stop()
	if err := <-fed; err != nil {
		t.Fatalf("an event was not acknowledged: %v", err)
	}
	w.compare()
	cancel()
	<-probed
}

// round loses a process of Myelin and a node of Kafka, each time in another way. Where only one round is run it freezes one of each, too.
func (w *world) round(f *freshness, round int) {
	w.t.Helper()
	state := w.divided()
	victim := round % len(w.nodes)
	if round == 0 { // first one that surely has something to do
		victim = w.runner(state, "per_person")
	}
	switch round % 3 {
	case 0:
		w.lose(f, round, victim, "kill -9", syscall.SIGKILL)
	case 1:
		w.lose(f, round, victim, "stop", syscall.SIGTERM)
	default:
		w.freeze(f, round, victim, 9*time.Second)
	}

	broker := round % len(w.kafka.dirs)
	if round%2 == 0 {
		w.loseBroker(f, round, broker, "kill -9", w.kafka.kill, w.kafka.start)
	} else {
		w.loseBroker(f, round, broker, "freezing", w.kafka.freeze, w.kafka.thaw)
	}
	if os.Getenv("MYELIN_SOAK_ROUNDS") == "" {
		w.loseBroker(f, round, broker+1, "freezing", w.kafka.freeze, w.kafka.thaw)
		w.freeze(f, round, w.runner(w.divided(), "per_person"), 4*time.Second)
	}
}

// loseBroker does without a node of Kafka for a while.
func (w *world) loseBroker(f *freshness, round, broker int, how string, lose, back func(int) error) {
	w.t.Helper()
	name := fmt.Sprintf("Kafka node %d", broker+1)
	w.t.Logf("round %d: %s: %s of %s", round, time.Now().UTC().Format("15:04:05.000"), how, name)
	f.take()
	if err := lose(broker); err != nil {
		w.t.Fatal(err)
	}
	w.flowing(f, 50)
	w.tell(f, round, how+" of "+name)
	if err := back(broker); err != nil {
		w.t.Fatal(err)
	}
	w.flowing(f, 50)
	w.replicated()
	w.tell(f, round, name+" is back")
}

// replicated waits until every node of Kafka has everything, so that the next may be lost.
func (w *world) replicated() {
	w.t.Helper()
	admin := kadm.NewClient(w.producer)
	eventually(w.t, 2*time.Minute, func() error {
		ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
		defer cancel()
		topics, err := admin.ListTopicsWithInternal(ctx)
		if err != nil {
			return err
		}
		for _, topic := range topics {
			for _, p := range topic.Partitions {
				if len(p.ISR) < len(p.Replicas) {
					return fmt.Errorf("%s/%d is on %v, and up to date on %v", topic.Topic, p.Partition, p.Replicas, p.ISR)
				}
			}
		}
		return nil
	})
}

// runner is which process runs a view.
func (w *world) runner(state clusterState, view string) int {
	w.t.Helper()
	for i, n := range w.nodes {
		for _, x := range state.Tasks {
			if x.Node == n.name && slices.Contains(x.Views, view) {
				return i
			}
		}
	}
	w.t.Fatalf("nobody runs %s: %+v", view, state)
	return -1
}

// lose ends a process with a signal, and starts it again when the others go on.
func (w *world) lose(f *freshness, round, victim int, how string, signal syscall.Signal) {
	w.t.Helper()
	n := w.nodes[victim]
	w.up[victim].Store(false)
	w.t.Logf("round %d: %s: %s of %s", round, time.Now().UTC().Format("15:04:05.000"), how, n.name)
	f.take()
	if err := n.end(signal); err != nil && signal == syscall.SIGTERM {
		w.t.Fatalf("%s: %v", how, err)
	}
	w.flowing(f, 50)
	w.tell(f, round, how+" of "+n.name)
	if err := n.start(); err != nil {
		w.t.Fatal(err)
	}
	w.returned(f, round, victim)
}

// freeze has a process stand still until the others have its work, and longer, and lets it go on then without knowing.
func (w *world) freeze(f *freshness, round, victim int, atLeast time.Duration) {
	w.t.Helper()
	n := w.nodes[victim]
	w.up[victim].Store(false)
	w.t.Logf("round %d: %s: freezing %s", round, time.Now().UTC().Format("15:04:05.000"), n.name)
	f.take()
	if err := n.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		w.t.Fatal(err)
	}
	timer := time.NewTimer(atLeast)
	w.flowing(f, 50)
	w.tell(f, round, "freezing "+n.name)
	<-timer.C
	if err := n.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		w.t.Fatal(err)
	}
	w.returned(f, round, victim)
	w.fenced()
}

// returned waits until a process that was lost takes part again.
func (w *world) returned(f *freshness, round, victim int) {
	w.t.Helper()
	w.up[victim].Store(true)
	w.divided()
	w.flowing(f, 50)
	w.tell(f, round, w.nodes[victim].name+" is back")
}

// fenced looks for what a process wrote for a task after another had begun to: nothing but one step, whose record does not count, and to myelin.served
// whatever lay ready to be sent when the process stood still, for that tells of steps which count, and the other has taken, too. In
// transactions the two write as the same producers, each in its turn, and the later one with a higher epoch.
func (w *world) fenced() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Minute)
	defer cancel()
	admin := kadm.NewClient(w.producer)
	names, err := admin.ListTopics(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	kinds := []string{"myelin.steps", "myelin.served", "myelin.state", "myelin.outs", "dear", "persons"}
	var topics []string
	for _, name := range names.Names() {
		if slices.ContainsFunc(kinds, func(kind string) bool { return name == kind || strings.HasPrefix(name, kind+".") }) {
			topics = append(topics, name)
		}
	}
	ends, err := admin.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.kafka.brokers()...), kgo.ConsumeTopics(topics...), kgo.KeepControlRecords())
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	left := map[string]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Topic] = o.Offset
		}
	})
	type writer struct {
		id    int64
		epoch int16
	}
	last, before, late := map[string]writer{}, map[string]map[int64]bool{}, map[string]int{}
	epochs := map[string]int16{} // by topic and transactional producer
	tells := map[string]*tellers{}
	for len(left) > 0 && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if end, ok := left[r.Topic]; ok && r.Offset >= end-1 {
				delete(left, r.Topic)
			}
			now, was := writer{r.ProducerID, r.ProducerEpoch}, last[r.Topic]
			if r.Attrs.IsTransactional() {
				who := fmt.Sprint(r.Topic, " ", now.id)
				if now.epoch < epochs[who] {
					late[who]++
				}
				epochs[who] = max(epochs[who], now.epoch)
				return
			}
			if before[r.Topic] == nil {
				before[r.Topic], tells[r.Topic] = map[int64]bool{}, &tellers{}
			}
			replaced := before[r.Topic][now.id] || now.id == was.id && now.epoch < was.epoch
			if strings.HasPrefix(r.Topic, "myelin.served") {
				tells[r.Topic].take(r.Value, replaced)
			}
			switch {
			case replaced && strings.HasPrefix(r.Topic, "myelin.served"):
				return
			case replaced:
				late[fmt.Sprint(r.Topic, " ", now.id)]++
				return
			case now.id != was.id:
				before[r.Topic][was.id] = true
			}
			last[r.Topic] = now
		})
	}
	if len(left) > 0 {
		w.t.Errorf("topics %v could not be read to their ends", left)
	}
	for what, n := range late {
		if !strings.HasPrefix(what, "myelin.steps") || n > 1 {
			w.t.Errorf("%d records of a writer that had been replaced: topic and producer %s", n, what)
		}
	}
	for topic, x := range tells {
		for _, s := range x.late {
			if !x.taken(s) {
				w.t.Errorf("topic %s has step %d of writer %x, which had been replaced, and whoever did so has it not", topic, s.seq, s.writer)
			}
		}
	}
}

// tellers is what was told on a topic of myelin.served (docs/formats/served.md).
type tellers struct {
	order []*teller // as they began
	late  []step    // of writers that had been replaced
}

type teller struct {
	writer, from, last uint64 // from: the step that it began behind, or from which on what it told is kept
	steps              map[uint64]bool
}

type step struct{ writer, seq uint64 }

func (x *tellers) take(b []byte, replaced bool) {
	if b[1] != 0 { // it tells who runs the task
		return
	}
	writer := bits.LittleEndian.Uint64(b[3:])
	seq, n := bits.Uvarint(b[11:])
	prev, _ := bits.Uvarint(b[11+n:])
	if replaced {
		x.late = append(x.late, step{writer, seq})
	}
	at := slices.IndexFunc(x.order, func(w *teller) bool { return w.writer == writer })
	if at < 0 {
		if at = len(x.order); replaced { // what it told in time was cut off
			at = 0
		}
		x.order = slices.Insert(x.order, at, &teller{writer: writer, from: prev, steps: map[uint64]bool{}})
	}
	w := x.order[at]
	w.steps[seq], w.last = true, max(w.last, seq)
}

// taken reports whether the next writer that got so far took a step, too, or began behind it.
func (x *tellers) taken(s step) bool {
	at := slices.IndexFunc(x.order, func(w *teller) bool { return w.writer == s.writer })
	for _, w := range x.order[at+1:] {
		if w.from >= s.seq || w.last >= s.seq {
			return w.from >= s.seq || w.steps[s.seq]
		}
	}
	return false
}

func (w *world) tell(f *freshness, round int, what string) {
	w.t.Helper()
	each := f.take()
	f.mu.Lock()
	for _, missing := range f.back {
		w.t.Errorf("round %d: %s: rows that were shown are missing: %s", round, what, missing)
	}
	f.back = nil
	f.mu.Unlock()
	pause := slices.Max(each[:])
	w.t.Logf("round %d: %s: views stood still for %.1f s (total %.1f s, an event of a person %.1f s, per_second %.1f s)",
		round, what, pause.Seconds(), each[0].Seconds(), each[1].Seconds(), each[2].Seconds())
	if pause > pauseLimit && os.Getenv("MYELIN_SOAK_ROUNDS") != "" {
		w.t.Errorf("round %d: %s: views stood still for %s; %s is allowed", round, what, pause, pauseLimit)
	}
}

// compare demands the same answers of every process, equal to what was sent, and each row once on the topics.
func (w *world) compare() {
	t := w.t
	t.Helper()
	var persons, counts []string
	byCount := map[int64]int{}
	for user, p := range w.persons {
		persons = append(persons, fmt.Sprintf("%s %d %d", user, p[0], p[1]))
		byCount[p[0]]++
	}
	for n, c := range byCount {
		counts = append(counts, fmt.Sprintf("%d %d", n, c))
	}
	total := []string{fmt.Sprint(w.sent.Load())}
	for _, n := range w.nodes {
		for sql, want := range map[string][]string{
			`SELECT n FROM total`: total, `SELECT user_key, n, paid::bigint FROM per_person`: persons, `SELECT n, persons FROM by_count`: counts,
			`SELECT sum(n)::bigint FROM per_second`: total,
		} {
			slices.Sort(want)
			eventually(t, 3*time.Minute, func() error {
				got, err := n.ask(sql)
				if err == nil && !slices.Equal(got, want) {
					err = fmt.Errorf("%s: %s:\n%v\nwant\n%v", n.name, sql, got, want)
				}
				return err
			})
		}
	}
	dear := map[string]int{}
	for id, price := range w.prices {
		if price >= 50 {
			dear[id] = 1
		}
	}
	w.topic("dear", func(r *kgo.Record) {
		var row struct {
			MessageID string `json:"message_id"`
		}
		if err := json.Unmarshal(r.Value, &row); err != nil {
			t.Fatal(err)
		}
		dear[row.MessageID]--
	}, func() error { return unsettled(dear) })
	last := map[string]string{}
	w.topic("persons", func(r *kgo.Record) { last[string(r.Key)] = string(r.Value) }, func() error {
		for user, p := range w.persons {
			want := fmt.Sprintf(`{"user_key":%q,"n":%d,"paid":%d}`, user, p[0], p[1])
			if last[user] != want {
				return fmt.Errorf("topic persons has %s, want %s", last[user], want)
			}
		}
		return nil
	})
}

func unsettled(left map[string]int) error {
	for id, n := range left {
		switch {
		case n > 0:
			return fmt.Errorf("%s is missing", id)
		case n < 0:
			return fmt.Errorf("%s is there %d times", id, 1-n)
		}
	}
	return nil
}

// topic hands over the committed records of a topic until enough is nil.
func (w *world) topic(name string, each func(*kgo.Record), enough func() error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.kafka.brokers()...), kgo.ConsumeTopics(name), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	for err := enough(); err != nil; err = enough() {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			w.t.Errorf("topic %s: %v", name, err)
			return
		}
		fetches.EachRecord(each)
	}
	// What comes after that would be too much.
	late, stop := context.WithTimeout(ctx, 500*time.Millisecond)
	defer stop()
	cl.PollFetches(late).EachRecord(each)
	if err := enough(); err != nil {
		w.t.Errorf("topic %s: %v", name, err)
	}
}
