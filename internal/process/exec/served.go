package exec

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// ServedTopic carries what each step changed in the views of a task to the processes that show them as well (docs/formats/served.md).
const ServedTopic = "myelin.served"

// Owner is the process that runs a task.
type Owner struct {
	Node    string `json:"node"`
	Address string `json:"address"` // of its pages
}

const (
	servedVersion = 1

	servedChanges = 0
	servedStatus  = 1

	// servedBytes is about how much one record holds, and servedMost how much at most: a row may have more.
	servedBytes = 256 << 10
	servedMost  = 768 << 10
)

// teller tells other processes what changed. The zero teller tells nobody.
type teller struct {
	client *kgo.Client
	topic  string
	last   uint64       // step that was told last, or that the state was restored at
	next   atomic.Int64 // offset behind what has been told durably
	views  []toldView   // of the step at hand
	spoke  time.Time    // when it was told last how the task is
}

// toldView is what a step changed in a view.
type toldView struct {
	name  string
	job   uint32
	print fingerprint
	b     *vec.Batch
}

func (w *teller) open(t *task) error {
	if t.cfg.Owner == nil {
		return nil
	}
	var err error
	w.topic = t.cfg.own(ServedTopic)
	w.client, err = t.cluster.NewClient(kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchMaxBytes(1<<20), kgo.MaxBufferedBytes(32<<20))
	return err
}

func (w *teller) close() {
	if w.client != nil {
		w.client.Close()
	}
}

// add takes in what the step changed in a group.
func (w *teller) add(g *group) {
	if w.client == nil {
		return
	}
	for _, j := range g.jobs {
		if j.loose == nil && j.changed != nil && !j.broken {
			w.views = append(w.views, toldView{j.name, j.id, j.print, j.changed})
		}
	}
}

// send sends the step that was added, in as many records as it takes. Nobody waits for them: who misses one reads the state anew.
func (w *teller) send(ctx context.Context, writer, seq uint64, clock int64) {
	if len(w.views) == 0 {
		return
	}
	c := served{Writer: writer, Seq: seq, Prev: w.last, Clock: clock}
	w.last = seq
	b := c.head()
	for i := range w.views {
		v := &w.views[i]
		for at := 0; at < v.b.Rows(); {
			b = appendString(b, v.name)
			b = binary.AppendUvarint(b, uint64(v.job))
			b = append(b, v.print[:]...)
			size := len(b) // where the number of rows and bytes goes
			b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
			n := uint32(0)
			for ; at < v.b.Rows() && len(b) < servedBytes; at++ {
				row := at
				if v.b.Sel != nil {
					row = int(v.b.Sel[at])
				}
				b = append(b, byte(v.b.Sign(row)))
				b = state.AppendRow(b, v.b.Cols, row)
				n++
			}
			binary.LittleEndian.PutUint32(b[size:], n)
			binary.LittleEndian.PutUint32(b[size+4:], uint32(len(b)-size-8))
			if len(b) >= servedBytes {
				w.produce(ctx, &c, b)
				b = c.head()
			}
		}
		v.b = nil
	}
	w.views = w.views[:0]
	b[lastAt] = servedLast
	w.produce(ctx, &c, b)
}

// produce sends a part of a step, in pieces if it is too large for a record.
func (w *teller) produce(ctx context.Context, c *served, b []byte) {
	for len(b) > servedMost {
		rest := append(c.head(), b[servedMost:]...)
		rest[lastAt], b[lastAt] = b[lastAt], servedCut
		w.put(ctx, b[:servedMost:servedMost])
		b = rest
	}
	w.put(ctx, b)
}

func (w *teller) put(ctx context.Context, b []byte) {
	w.client.Produce(ctx, &kgo.Record{Topic: w.topic, Value: b}, func(r *kgo.Record, err error) {
		if err == nil {
			w.next.Store(r.Offset + 1)
		}
	})
}

// served is one record of ServedTopic: a part of a step, or how the task is.
type served struct {
	Writer, Seq, Prev uint64
	Clock             int64
	Last              bool // the step ends with this record
	Cut               bool // its bytes go on in the next one
	views             []byte
	status            *servedTask
}

// lastAt is where a record of changes says whether it is the step's last, or goes on in the next.
const (
	lastAt     = 2
	servedLast = 1
	servedCut  = 2
)

func (c *served) head() []byte {
	b := append(make([]byte, 0, 512), servedVersion, servedChanges, 0)
	b = binary.LittleEndian.AppendUint64(b, c.Writer)
	b = binary.AppendUvarint(b, c.Seq)
	b = binary.AppendUvarint(b, c.Prev)
	return binary.AppendVarint(b, c.Clock)
}

func parseServed(b []byte) (*served, error) {
	if len(b) < 3 || b[0] != servedVersion {
		return nil, errStep
	}
	c := &served{}
	if b[1] == servedStatus {
		c.status = &servedTask{}
		return c, json.Unmarshal(b[2:], c.status)
	}
	if len(b) < 11 {
		return nil, errStep
	}
	c.Last, c.Cut = b[lastAt] == servedLast, b[lastAt] == servedCut
	c.Writer = binary.LittleEndian.Uint64(b[3:])
	r := stepReader{b: b[11:]}
	c.Seq, c.Prev, c.Clock = r.uvarint(), r.uvarint(), r.varint()
	c.views = r.b
	return c, r.err
}

// servedRows are changes of a view in a record: for each its sign and the row.
type servedRows struct {
	name  string
	job   uint32
	print fingerprint
	count int
	bytes []byte
}

// eachView hands over the changes of each view in the record.
func (c *served) eachView(f func(v *servedRows) error) error {
	for r := (stepReader{b: c.views}); len(r.b) > 0; {
		v := &servedRows{name: r.string(), job: uint32(r.uvarint())}
		if r.err != nil || len(r.b) < 16 {
			return errStep
		}
		v.print, v.count = fingerprint(r.b[:8]), int(binary.LittleEndian.Uint32(r.b[8:]))
		size := int(binary.LittleEndian.Uint32(r.b[12:]))
		if size > len(r.b)-16 {
			return errStep
		}
		v.bytes, r.b = r.b[16:16+size], r.b[16+size:]
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

// servedTask is how a task is, told about once a second.
type servedTask struct {
	Owner
	Writer uint64       `json:"writer"`
	At     int64        `json:"at"`
	Told   uint64       `json:"told"` // the step that was told last, or that the state was restored at
	Views  []servedView `json:"views"`
}

type servedView struct {
	Name      string `json:"name"`
	Job       uint32 `json:"job"`
	Print     string `json:"print"`
	Phase     int32  `json:"phase"`
	In        int64  `json:"in"`
	Out       int64  `json:"out"`
	Errors    int64  `json:"errors,omitempty"`
	Late      int64  `json:"late,omitempty"`
	Watermark int64  `json:"watermark"`
	Behind    int64  `json:"behind"`
	Bytes     int64  `json:"bytes"`
	Keys      int64  `json:"keys"`
	Changed   int64  `json:"changed"`
	Rate      uint64 `json:"rate"`
	Lag       int64  `json:"lag"`
	Problem   string `json:"problem,omitempty"`
}

// status tells how the task is.
func (w *teller) status(t *task) {
	if w.client == nil || time.Since(w.spoke) < idleTick*9/10 {
		return
	}
	w.spoke = time.Now()
	s := servedTask{Owner: *t.cfg.Owner, Writer: t.fence.writer, At: t.clock, Told: w.last}
	for _, g := range t.groups {
		for _, j := range g.jobs {
			if j.view != nil {
				s.Views = append(s.Views, j.stat().told(j))
			}
		}
	}
	b, err := json.Marshal(s)
	if err != nil {
		return
	}
	w.client.TryProduce(context.Background(), &kgo.Record{Topic: w.topic, Value: append([]byte{servedVersion, servedStatus}, b...)}, nil)
}

func (s *status) told(j *job) servedView {
	v := servedView{
		Name: j.name, Job: j.id, Print: j.print.String(), Phase: s.phase.Load(), In: s.in.Load(), Out: s.out.Load(), Errors: s.errs.Load(), Late: s.late.Load(),
		Watermark: s.watermark.Load(), Behind: s.behind.Load(), Bytes: s.bytes.Load(), Keys: s.keys.Load(), Changed: s.changed.Load(),
		Rate: s.rate.Load(), Lag: s.lag.Load(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v.Problem = s.mu.problem
	return v
}

// hear takes over what the owner told.
func (s *status) hear(v *servedView) {
	s.phase.Store(v.Phase)
	s.in.Store(v.In)
	s.out.Store(v.Out)
	s.errs.Store(v.Errors)
	s.late.Store(v.Late)
	s.watermark.Store(v.Watermark)
	s.behind.Store(v.Behind)
	s.bytes.Store(v.Bytes)
	s.keys.Store(v.Keys)
	s.changed.Store(v.Changed)
	s.rate.Store(v.Rate)
	s.lag.Store(v.Lag)
	s.setProblem(v.Problem)
}
