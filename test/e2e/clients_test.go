package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/test/sdk"
)

// TestKafkaClientsInOtherLanguages drives the broker with librdkafka, kafka-python and kafkajs: admin, transactions, groups.
func TestKafkaClientsInOtherLanguages(t *testing.T) {
	if !sdk.Installed() {
		t.Skip("the clients are not installed: run make test")
	}
	s := run(t, project{}, "--roles", "log")
	for _, c := range []struct{ program, script string }{
		{sdk.Python(), "confluent.py"}, {sdk.Python(), "kafka_python.py"}, {"node", "kafkajs.mjs"},
	} {
		t.Run(c.script, func(t *testing.T) {
			t.Parallel()
			out, err := longCommand(5*time.Minute, c.program, filepath.Join("..", "clients", c.script), s.kafka, "t")
			if err != nil || !strings.Contains(out, " ok: ") {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// TestPostgresClients drives the port of PostgreSQL's protocol with psycopg 3 and SQLAlchemy, node-postgres and pgjdbc: every type as
// parameter and result, as text and binary, what they ask of the catalog, errors, cursors, pipelines, timeouts and cancelling.
func TestPostgresClients(t *testing.T) {
	if !sdk.Installed() {
		t.Skip("the clients are not installed: run make test")
	}
	s := run(t, project{
		"myelin.yaml":     "sources: []\n",
		"sql/shop.sql":    "CREATE TABLE shop (id BIGINT PRIMARY KEY, name TEXT, price NUMERIC, since DATE) WITH (connector = 'file', path = 'tables/shop.csv');\n",
		"tables/shop.csv": "id,name,price,since\n1,tea,3.50,2026-01-01\n2,jam,4.99,2026-02-01\n3,gum,0.50,2026-03-01\n",
	})
	folder := filepath.Join("..", "clients")
	for name, args := range map[string][]string{
		"psycopg": {sdk.Python(), filepath.Join(folder, "psycopg_sqlalchemy.py")},
		"node":    {"node", filepath.Join(folder, "postgres.mjs")},
		"jdbc":    {filepath.Join(folder, "jdbc.sh"), "run"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := longCommand(5*time.Minute, args[0], append(args[1:], s.postgres)...)
			if err != nil || !strings.Contains(out, " ok: ") {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// TestSarama drives the broker with IBM's Go client: admin, an idempotent producer, a transaction and a consumer group.
func TestSarama(t *testing.T) {
	s := run(t, project{}, "--roles", "log")
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	cfg.Producer.Return.Successes = true
	cfg.Producer.Idempotent, cfg.Producer.RequiredAcks, cfg.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
	cfg.Producer.Transaction.ID = "sarama-tx"
	cfg.Consumer.Group.Session.Timeout = time.Minute // nobody is to be taken for gone
	cfg.Consumer.Offsets.Initial, cfg.Consumer.IsolationLevel = sarama.OffsetOldest, sarama.ReadCommitted
	admin, err := sarama.NewClusterAdmin([]string{s.kafka}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.CreateTopic("sarama", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	producer, err := sarama.NewSyncProducer([]string{s.kafka}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	send := func(kind string, n int, end func() error) {
		t.Helper()
		if err := producer.BeginTxn(); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "sarama", Key: sarama.StringEncoder(kind + strconv.Itoa(i)), Value: sarama.StringEncoder(kind)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	send("kept", 60, producer.CommitTxn)
	send("aborted", 30, producer.AbortTxn)
	send("later", 20, producer.CommitTxn)

	group, err := sarama.NewConsumerGroup([]string{s.kafka}, "sarama-group", cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	h := &saramaHandler{want: 80, all: cancel, got: map[string]int{}}
	if err := group.Consume(ctx, []string{"sarama"}, h); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for key, n := range h.got {
		if n != 1 {
			t.Errorf("%s came %d times", key, n)
		}
		counts[strings.TrimRight(key, "0123456789")]++
	}
	if counts["kept"] != 60 || counts["later"] != 20 || len(h.got) != 80 {
		t.Errorf("got %v", counts)
	}
	offsets, err := admin.ListConsumerGroupOffsets("sarama-group", map[string][]int32{"sarama": {0, 1}})
	if err != nil || offsets.GetBlock("sarama", 0).Offset+offsets.GetBlock("sarama", 1).Offset < 80 {
		t.Errorf("committed offsets %v, %v", offsets, err)
	}
}

// saramaHandler counts records by key until it has seen as many as wanted.
type saramaHandler struct {
	mu   sync.Mutex
	want int
	all  func()
	got  map[string]int
}

func (h *saramaHandler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (h *saramaHandler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h *saramaHandler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			h.mu.Lock()
			h.got[string(m.Key)]++
			n := len(h.got)
			h.mu.Unlock()
			session.MarkMessage(m, "")
			if n == h.want {
				session.Commit()
				h.all()
			}
		case <-session.Context().Done():
			return nil
		}
	}
}

// kafkaTool runs one of Kafka's own tools.
func kafkaTool(t *testing.T, class string, args ...string) string {
	t.Helper()
	out, err := longCommand(5*time.Minute, "../kafka/kafka.sh", append([]string{"tool", class}, args...)...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", class, args, err, out)
	}
	return out
}

// TestKafkasOwnTools runs the tools of Kafka's distribution against the broker, and its log dump on our segment files.
func TestKafkasOwnTools(t *testing.T) {
	if _, err := exec.LookPath("java"); err != nil {
		t.Skip("Java is not installed: run make test")
	}
	s := run(t, project{}, "--roles", "log")
	at := []string{"--bootstrap-server", s.kafka}
	has := func(out string, patterns ...string) {
		t.Helper()
		for _, p := range patterns {
			if !regexp.MustCompile(p).MatchString(out) {
				t.Errorf("%q is missing in\n%s", p, out)
			}
		}
	}
	const topics, configs, groups = "org.apache.kafka.tools.TopicCommand", "kafka.admin.ConfigCommand", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
	has(kafkaTool(t, topics, slices.Concat(at, []string{"--create", "--topic", "perf", "--partitions", "3", "--config", "retention.ms=600000"})...), `Created topic perf`)
	has(kafkaTool(t, topics, slices.Concat(at, []string{"--describe", "--topic", "perf"})...), `PartitionCount: 3`, `retention.ms=600000`, `Partition: 2\s+Leader: \d+`)
	has(kafkaTool(t, configs, slices.Concat(at, []string{"--alter", "--entity-type", "topics", "--entity-name", "perf", "--add-config", "retention.ms=700000,max.message.bytes=900000"})...), `Completed updating config`)
	has(kafkaTool(t, configs, slices.Concat(at, []string{"--describe", "--entity-type", "topics", "--entity-name", "perf"})...), `retention.ms=700000`, `max.message.bytes=900000`)
	has(kafkaTool(t, "org.apache.kafka.tools.ProducerPerformance", "--topic", "perf", "--num-records", "100000", "--record-size", "100", "--throughput", "-1",
		"--command-property", "bootstrap.servers="+s.kafka, "acks=all"), `100000 records sent`)
	has(kafkaTool(t, "org.apache.kafka.tools.ConsumerPerformance", slices.Concat(at, []string{"--topic", "perf", "--num-records", "100000", "--group", "perf-group", "--timeout", "90000"})...), `, 100\d{3}, `)
	has(kafkaTool(t, "org.apache.kafka.tools.ConsumerPerformance", slices.Concat(at, []string{"--topic", "perf", "--num-records", "100000", "--group", "perf-848", "--timeout", "90000",
		"--command-property", "group.protocol=consumer"})...), `, 100\d{3}, `)
	has(kafkaTool(t, groups, slices.Concat(at, []string{"--list", "--type", "consumer"})...), `perf-848`)
	has(kafkaTool(t, groups, slices.Concat(at, []string{"--describe", "--group", "perf-group"})...), `perf-group\s+perf\s+0\s+\d+\s+\d+\s+\d+`)
	s.stop()
	logs, err := filepath.Glob(filepath.Join(s.dir, "data", "log", "topics", "perf-*", "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no segments of the topic under %s: %v", s.dir, err)
	}
	dump := kafkaTool(t, "org.apache.kafka.tools.DumpLogSegments", "--files", strings.Join(logs, ","), "--deep-iteration")
	if n := strings.Count(dump, "| offset:"); n != 100_000 || strings.Contains(dump, "isvalid: false") {
		t.Errorf("Kafka's log dump sees %d records in %d segments", n, len(logs))
	}
}

// TestKafkaStreamsExactlyOnce runs the WordCount of Kafka's distribution with exactly_once_v2: internal topics, a compacted
// changelog, transactions.
func TestKafkaStreamsExactlyOnce(t *testing.T) {
	if _, err := exec.LookPath("java"); err != nil {
		t.Skip("Java is not installed: run make test")
	}
	s := run(t, project{}, "--roles", "log")
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	const input, output = "streams-plaintext-input", "streams-wordcount-output"
	if _, err := kadm.NewClient(cl).CreateTopics(ctx, 2, 1, nil, input, output); err != nil {
		t.Fatal(err)
	}
	var lines []*kgo.Record
	for i := range 200 {
		lines = append(lines, &kgo.Record{Topic: input, Value: fmt.Appendf(nil, "spark word%d spark", i%10)})
	}
	if err := cl.ProduceSync(ctx, lines...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	settings := filepath.Join(dir, "streams.properties")
	write(t, settings, fmt.Sprintf("bootstrap.servers=%s\nprocessing.guarantee=exactly_once_v2\ncommit.interval.ms=200\nreplication.factor=1\nstate.dir=%s\n", s.kafka, dir))
	demo := exec.CommandContext(ctx, "../kafka/kafka.sh", "tool", "org.apache.kafka.streams.examples.wordcount.WordCountDemo", settings)
	var said lockedBuffer
	demo.Stdout, demo.Stderr = &said, &said
	demo.Cancel = func() error { return demo.Process.Signal(syscall.SIGTERM) }
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = demo.Process.Signal(os.Interrupt) // it may have ended
		_ = demo.Wait()
	}()
	reader, err := kgo.NewClient(kgo.SeedBrokers(s.kafka), kgo.ConsumeTopics(output), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	counts := map[string]int64{}
	for sum := int64(0); sum != 600; {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("waiting for the counts, which are at %v: %v\n%s", counts, err, said.String())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var n int64
			for _, b := range r.Value { // LongSerializer: 8 bytes, big-endian
				n = n<<8 | int64(b)
			}
			if n < counts[string(r.Key)] {
				t.Errorf("the count of %s went back from %d to %d", r.Key, counts[string(r.Key)], n)
			}
			sum += n - counts[string(r.Key)]
			counts[string(r.Key)] = n
		})
	}
	if len(counts) != 11 || counts["spark"] != 400 || counts["word9"] != 20 {
		t.Errorf("counts %v", counts)
	}
}
