package decode

import (
	"syscall"
	"testing"
	"time"

	"myelin/internal/process/nexmark"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// BenchmarkNexmark measures what the decoder takes for an event of Nexmark's mix, by what queries ask of it.
func BenchmarkNexmark(b *testing.B) {
	kind := col("event_type", vec.Int32)
	for _, q := range []struct {
		name string
		cols []plan.ScanColumn
		only int64
	}{
		{"q1", []plan.ScanColumn{
			kind, col("bid.auction", vec.Int64), col("bid.bidder", vec.Int64), col("bid.price", vec.Int64),
			col("bid.dateTime", vec.Timestamp), col("bid.extra", vec.Text),
		}, 2},
		{"q2", []plan.ScanColumn{kind, col("bid.auction", vec.Int64), col("bid.price", vec.Int64), col("bid.dateTime", vec.Timestamp)}, 2},
		{"q8", []plan.ScanColumn{kind, col("person.id", vec.Int64), col("person.name", vec.Text), col("person.dateTime", vec.Timestamp)}, 0},
	} {
		b.Run(q.name, func(b *testing.B) {
			const n, batches = 4096, 16
			s := nexmark.NewStream(1, 100_000)
			var bufs [batches][]byte
			var recs [batches][n]Record
			for k := range bufs {
				buf := make([]byte, 0, n*512)
				for i := range n {
					at := len(buf)
					buf = s.Append(buf)
					recs[k][i] = Record{Key: vec.Span{Off: NoBytes}, Value: vec.Span{Off: uint32(at), Len: uint32(len(buf) - at)}}
				}
				bufs[k] = buf
			}
			d := New(q.cols, nil)
			d.Foreign = true
			d.Only(Only{Col: 0, Ints: []int64{q.only}, Keep: []int{len(q.cols) - 1}})
			b.ReportAllocs()
			k := 0
			began := cpuTime()
			for b.Loop() {
				d.Begin(bufs[k%batches], n)
				for i := range recs[k%batches] {
					d.Add(recs[k%batches][i])
				}
				d.Batch()
				k++
			}
			b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(k*n), "cpu-ns/event")
		})
	}
}

// cpuTime is the CPU time that the process has used: right on a busy machine too.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
