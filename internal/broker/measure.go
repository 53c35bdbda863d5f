package broker

import (
	"cmp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// mostSeries is how many topics or groups are shown one by one in the metrics: the largest, or those that lag most.
const mostSeries = 500

// measure exports what the broker counts; docs/reference/metrics.md explains it.
func (b *Broker) measure() {
	t := b.cfg.Telemetry
	counter := func(name, help string, f func() int64, labels ...string) {
		t.CounterFunc(name, help, func() float64 { return float64(f()) }, labels...)
	}
	gauge := func(name, help string, f func() int64) {
		t.GaugeFunc(name, help, func() float64 { return float64(f()) })
	}
	s := b.wire.Stats()
	for _, key := range b.api.Keys() {
		counter("myelin_log_requests_total", "Kafka requests received, by request.", s.ByKey(key).Load, "request", kmsg.NameForKey(key))
	}
	counter("myelin_log_in_bytes_total", "Bytes of Kafka requests received.", s.BytesIn.Load)
	counter("myelin_log_out_bytes_total", "Bytes of Kafka responses sent.", s.BytesOut.Load)
	gauge("myelin_log_connections", "Open Kafka connections, those within the process too.", b.wire.Open)
	counter("myelin_log_connections_total", "Kafka connections made.", b.wire.Made)
	counter("myelin_log_connections_refused_total", "Kafka connections refused because there were too many, in all or of one address.", s.Refused.Load)
	counter("myelin_log_slow_total", "Kafka connections closed because they sent nothing, too little or no login in time.", s.Slow.Load)
	counter("myelin_log_handshakes_failed_total", "Kafka connections closed because TLS could not be agreed on.", s.Handshakes.Load)
	counter("myelin_log_garbage_total", "Kafka connections closed because of malformed requests.", s.Garbage.Load)
	counter("myelin_log_panics_total", "Requests that made the broker panic.", s.Panics.Load)
	counter("myelin_log_denied_total", "Kafka requests that the role of their user did not allow.", b.api.Denied.Load)
	counter("myelin_log_throttled_total", "Answers that told a Kafka client to wait because of a quota.", func() int64 { n, _ := b.quotas.Muted(); return n })
	t.CounterFunc("myelin_log_throttled_seconds_total", "How long Kafka clients were told to wait.", func() float64 { _, d := b.quotas.Muted(); return d.Seconds() })
	gauge("myelin_log_request_memory_bytes", "Bytes of Kafka requests that are being read or worked on.", s.Held.Load)

	produce := t.Histogram("myelin_log_produce_seconds", "From having read a produce request to having answered it; in between it is on disk.")
	fetch := t.Histogram("myelin_log_fetch_seconds", "From having read a fetch request to having answered it, the wait for records included.")
	b.wire.Timed = func(key int16, took time.Duration) {
		switch key {
		case 0:
			produce.Observe(took)
		case 1:
			fetch.Observe(took)
		}
	}

	counter("myelin_log_appended_batches_total", "Record batches made durable.", func() int64 { return b.store.Stats().Appends })
	counter("myelin_log_appended_bytes_total", "Bytes of record batches made durable.", func() int64 { return b.store.Stats().AppendBytes })
	counter("myelin_log_commits_total", "Group commits: one write and one fdatasync each.", func() int64 { return b.store.Stats().Commits })
	counter("myelin_log_checkpoints_total", "Times that the write-ahead log was carried over into segments.", func() int64 { return b.store.Stats().Checkpoints })
	gauge("myelin_log_wal_bytes", "Size of the write-ahead files.", func() int64 { return b.store.Stats().WALBytes })
	gauge("myelin_log_unflushed_bytes", "Bytes that are durable in the write-ahead log and not yet in their segment.", func() int64 { return b.store.Stats().UnflushedBytes })
	gauge("myelin_log_cache_bytes", "Memory that holds the ends of partitions for readers.", func() int64 { return b.store.Stats().CacheBytes })
	counter("myelin_log_cache_reads_total", "Reads that found everything in memory.", func() int64 { return b.store.Stats().CacheReads })
	counter("myelin_log_disk_reads_total", "Reads that went to the disk.", func() int64 { return b.store.Stats().DiskReads })
	counter("myelin_log_segments_deleted_total", "Segments deleted by retention.", func() int64 { return b.store.Stats().SegmentsDeleted })
	counter("myelin_log_compacted_records_total", "Records removed by compaction.", b.compacted.Load)
	counter("myelin_log_problems_total", "Damage found on disk and set aside.", func() int64 { return b.store.Stats().Problems })
	gauge("myelin_log_free_bytes", "Free space of the data folder; -1 when not known.", func() int64 { return b.store.Stats().FreeBytes })
	gauge("myelin_log_topics", "Topics, those of the broker itself too.", func() int64 { return b.store.Stats().Topics })
	gauge("myelin_log_partitions", "Partitions of all topics.", func() int64 { return b.store.Stats().PartitionCount })
	gauge("myelin_log_groups", "Consumer groups.", func() int64 { return int64(len(b.groups.List())) })
	t.GaugesFunc("myelin_log_topic_bytes", "Size of a topic's log; of the 500 largest.", []string{"topic"}, b.topicSizes)
	t.GaugesFunc("myelin_log_group_lag_records", "Records that a consumer group has yet to read of a topic; of the 500 that lag most.", []string{"group", "topic"}, b.groupLags)
}

type series struct {
	value  int64
	labels []string
}

// largest emits those with the largest values.
func largest(all []series, emit func(float64, ...string)) {
	slices.SortFunc(all, func(a, b series) int { return cmp.Compare(b.value, a.value) })
	for _, s := range all[:min(len(all), mostSeries)] {
		emit(float64(s.value), s.labels...)
	}
}

func (b *Broker) topicSizes(emit func(float64, ...string)) {
	var all []series
	for _, t := range b.topics.All() {
		s := series{labels: []string{t.Name}}
		for _, p := range t.Partitions() {
			s.value += p.Log().Size()
		}
		all = append(all, s)
	}
	largest(all, emit)
}

func (b *Broker) groupLags(emit func(float64, ...string)) {
	sum := map[[2]string]int64{}
	for _, l := range b.Lags() {
		sum[[2]string{l.Group, l.Topic}] += l.Lag
	}
	var all []series
	for k, n := range sum {
		all = append(all, series{value: n, labels: k[:]})
	}
	largest(all, emit)
}
