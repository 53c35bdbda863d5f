package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/test/e2e/history"
)

// topics of the history and their partitions.
var historyTopics = map[string]int32{"plain": 3, "txn": 4, "in": 3, "out": 3}

// TestKillHistoryHoldsUnderTransactions kills the broker again and again under idempotent and transactional producers, a
// group that consumes, transforms and produces, and readers of committed records. Then the history checker looks for
// records that are lost, there twice, out of order or aborted, and for torn transactions.
func TestKillHistoryHoldsUnderTransactions(t *testing.T) {
	n := 8
	if os.Getenv("MYELIN_SOAK_ROUNDS") != "" {
		n = rounds()
	}
	rng := rand.New(rand.NewPCG(4, 4))
	s := prepare(t, project{"myelin.yaml": "sources:\n  - name: web\n    write_keys: [wk]\n"}, "--roles", "log")
	h := history.New()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	feeding, stopFeeding := context.WithCancel(ctx)
	defer stopFeeding()
	var feeders, workers sync.WaitGroup
	for round := range n {
		s.startSoon(round)
		if round == 0 {
			createHistoryTopics(t, s)
			for i := range 3 {
				feeders.Go(func() { sendPlain(feeding, t, s, h, "plain", fmt.Sprint("p", i), int32(i)) })
				feeders.Go(func() { sendTransactions(feeding, t, s, h, i) })
			}
			feeders.Go(func() { sendPlain(feeding, t, s, h, "in", "f0", 0) })
			feeders.Go(func() { sendPlain(feeding, t, s, h, "in", "f1", 1) })
			for i := range 2 {
				workers.Go(func() { transform(ctx, t, s, fmt.Sprint("etl-", i)) })
			}
			workers.Go(func() { pollCommitted(ctx, t, s, h) })
		}
		acked, ended := h.Counts()
		eventually(t, patience, func() error {
			if a, e := h.Counts(); a-acked < 200 || e-ended < 10 {
				return fmt.Errorf("only %d acks and %d transactions in round %d", a-acked, e-ended, round)
			}
			return nil
		})
		wait(t, time.Duration(rng.IntN(200))*time.Millisecond)
		s.kill()
	}
	s.start()
	stopFeeding()
	feeders.Wait()
	endTransactions(t, s)
	var final []history.Record
	var violations []history.Violation
	eventually(t, patience, func() error { // the transformation goes on until it has everything
		var err error
		if final, err = readHistory(t.Context(), s); err != nil {
			return err
		}
		violations = h.Check(final)
		for _, v := range violations {
			if v.Kind == "lost" {
				return fmt.Errorf("%d violations, the first: %s", len(violations), v)
			}
		}
		return nil
	})
	cancel()
	workers.Wait()
	for i, v := range violations {
		if i == 20 {
			t.Errorf("and %d more", len(violations)-i)
			break
		}
		t.Error(v)
	}
	t.Logf("%d kills: %s; %d records in the end", n, h.Totals(), len(final))
}

func createHistoryTopics(t *testing.T, s *server) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for name, partitions := range historyTopics {
		resp, err := kadm.NewClient(client).CreateTopic(t.Context(), partitions, 1, nil, name)
		if err == nil {
			err = resp.Err
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func historyClient(t *testing.T, s *server, opts ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.kafka), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond })}, opts...)...)
	if err != nil {
		t.Error(err)
	}
	return client
}

// sendPlain is an idempotent producer with several batches in flight, whose client lives through every kill. What it sends to
// in must come out of out.
func sendPlain(ctx context.Context, t *testing.T, s *server, h *history.History, topic, name string, partition int32) {
	client := historyClient(t, s, kgo.MaxBufferedRecords(200), kgo.ProducerBatchMaxBytes(4096))
	defer client.Close()
	for n := 0; ctx.Err() == nil; n++ {
		value := fmt.Sprintf("%s-%d", name, n)
		h.Send(topic, value, name, n)
		if topic == "in" {
			h.Send("out", value, name, n)
		}
		client.Produce(context.WithoutCancel(ctx), &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)}, func(r *kgo.Record, err error) {
			if err != nil {
				t.Errorf("producing %s: %v", value, err)
				return
			}
			h.Ack(topic, value, r.Partition, r.Offset)
			if topic == "in" {
				h.Ack("out", value, -1, -1)
			}
		})
		if n%20 == 19 {
			wait(t, time.Millisecond)
		}
	}
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := client.Flush(flush); err != nil {
		t.Errorf("flushing %s: %v", name, err)
	}
}

// sendTransactions commits and aborts transactions over several partitions and topics. After an error it begins with a new
// client of the same transactional id, which ends what the old one left behind.
func sendTransactions(ctx context.Context, t *testing.T, s *server, h *history.History, id int) {
	rng := rand.New(rand.NewPCG(uint64(id), 6))
	name := fmt.Sprint("t", id)
	var client *kgo.Client
	for n := 0; ctx.Err() == nil; n++ {
		if client == nil {
			client = historyClient(t, s, kgo.TransactionalID(name), kgo.TransactionTimeout(20*time.Second))
		}
		if err := client.BeginTransaction(); err != nil {
			client.Close()
			client = nil
			continue
		}
		txn := h.Begin(fmt.Sprintf("%s-%d", name, n))
		var records []*kgo.Record
		for p := range historyTopics["txn"] {
			for i := range 1 + rng.IntN(3) {
				value := fmt.Sprintf("%s-%d-%d.%d", name, n, p, i)
				txn.Send("txn", value, name, n*100+i)
				records = append(records, &kgo.Record{Topic: "txn", Partition: p, Value: []byte(value)})
			}
		}
		attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		err := client.ProduceSync(attempt, records...).FirstErr()
		outcome, try := history.Aborted, kgo.TryAbort
		if err == nil && rng.IntN(3) > 0 {
			outcome, try = history.Committed, kgo.TryCommit
		}
		if err == nil {
			err = client.EndTransaction(attempt, try)
		}
		cancel()
		if err != nil {
			// A transaction whose commit was never asked for cannot have happened.
			if try == kgo.TryCommit {
				outcome = history.Unknown
			}
			txn.End(outcome)
			client.Close()
			client = nil
			continue
		}
		txn.End(outcome)
	}
	if client != nil {
		client.Close()
	}
}

// transform copies in to out as a group member, in transactions that hold the offsets, too.
func transform(ctx context.Context, t *testing.T, s *server, id string) {
	for ctx.Err() == nil {
		session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(s.kafka), kgo.TransactionalID(id), kgo.ConsumerGroup("etl"), kgo.ConsumeTopics("in"),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(6*time.Second), kgo.TransactionTimeout(10*time.Second),
			kgo.MetadataMinAge(50*time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
		if err != nil {
			t.Error(err)
			return
		}
		for copyOnce(ctx, session) == nil && ctx.Err() == nil {
		}
		session.Close()
	}
}

func copyOnce(ctx context.Context, session *kgo.GroupTransactSession) error {
	fetches := session.PollRecords(ctx, 500)
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := session.Begin(); err != nil {
		return err
	}
	var records []*kgo.Record
	fetches.EachRecord(func(r *kgo.Record) {
		records = append(records, &kgo.Record{Topic: "out", Partition: r.Partition, Value: r.Value})
	})
	attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	try := kgo.TryCommit
	if session.ProduceSync(attempt, records...).FirstErr() != nil {
		try = kgo.TryAbort
	}
	_, err := session.End(attempt, try)
	return err
}

// pollCommitted reads everything all the time.
func pollCommitted(ctx context.Context, t *testing.T, s *server, h *history.History) {
	client := historyClient(t, s, kgo.ConsumeTopics("plain", "txn", "in", "out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer client.Close()
	last := map[string]int64{}
	for ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			at := fmt.Sprint(r.Topic, r.Partition)
			if before, ok := last[at]; ok && r.Offset <= before {
				t.Errorf("reader of %s-%d went back from %d to %d", r.Topic, r.Partition, before, r.Offset)
			}
			last[at] = r.Offset
			h.Polled(history.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Value: string(r.Value)})
		})
	}
}

// endTransactions ends what the producers left open.
func endTransactions(t *testing.T, s *server) {
	t.Helper()
	for i := range 3 {
		client := historyClient(t, s, kgo.TransactionalID(fmt.Sprint("t", i)))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, _, err := client.ProducerID(ctx)
		cancel()
		if err != nil {
			t.Errorf("ending transactions of t%d: %v", i, err)
		}
		client.Close()
	}
}

// readHistory reads all topics to their end.
func readHistory(ctx context.Context, s *server) ([]history.Record, error) {
	var out []history.Record
	for topic := range historyTopics {
		err := consumeRaw(ctx, s.kafka, topic, func(r *kgo.Record) {
			out = append(out, history.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Value: string(r.Value)})
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
