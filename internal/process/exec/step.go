package exec

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// step is one recorded step: everything that decides what it computes. It is durable before its effects leave the process.
// Its bytes are specified in docs/formats/steps.md.
type step struct {
	Seq   uint64
	Kind  stepKind
	Group uint32
	// Writer is whose step it is where several processes may take them; else 0.
	Writer uint64
	Clock  int64 // microseconds
	// Ranges are the records that the step read, by topic and partition.
	Ranges []offsets
	// Marks are the watermarks after the step.
	Marks []mark
}

type stepKind byte

const (
	stepAdvance stepKind = iota // a group of views reads on
	stepMerge                   // a group has caught up with the main one and joins it
	stepFence                   // another writer begins
)

// offsets is a range of a partition: from the first offset up to but not including To.
type offsets struct {
	Topic     string
	Partition int32
	From, To  int64
}

// mark is the watermark of a stream.
type mark struct {
	Stream string
	At     int64
}

const (
	stepVersion   = 1
	sharedVersion = 2 // as 1, with the writer
)

func (s *step) append(b []byte) []byte {
	if s.Writer == 0 {
		b = append(b, stepVersion, byte(s.Kind))
	} else {
		b = binary.LittleEndian.AppendUint64(append(b, sharedVersion, byte(s.Kind)), s.Writer)
	}
	b = binary.AppendUvarint(b, s.Seq)
	b = binary.AppendUvarint(b, uint64(s.Group))
	b = binary.AppendVarint(b, s.Clock)
	b = binary.AppendUvarint(b, uint64(len(s.Ranges)))
	for _, r := range s.Ranges {
		b = appendString(b, r.Topic)
		b = binary.AppendUvarint(b, uint64(r.Partition))
		b = binary.AppendUvarint(b, uint64(r.From))
		b = binary.AppendUvarint(b, uint64(r.To-r.From))
	}
	b = binary.AppendUvarint(b, uint64(len(s.Marks)))
	for _, m := range s.Marks {
		b = appendString(b, m.Stream)
		b = binary.AppendVarint(b, m.At)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

var errStep = errors.New("step record is corrupt")

// stepReader reads the parts of a step; after the first error it gives zeros.
type stepReader struct {
	b   []byte
	err error
}

func (r *stepReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return r.took(v, n)
}

func (r *stepReader) varint() int64 {
	v, n := binary.Varint(r.b)
	return int64(r.took(uint64(v), n))
}

func (r *stepReader) took(v uint64, n int) uint64 {
	if n <= 0 {
		r.err, r.b = errStep, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *stepReader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.err, r.b = errStep, nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// count is a number of items that follow, each at least one byte long.
func (r *stepReader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.err, r.b = errStep, nil
		return 0
	}
	return int(n)
}

func parseStep(b []byte) (*step, error) {
	if len(b) < 2 || b[0] != stepVersion && (b[0] != sharedVersion || len(b) < 10) {
		return nil, fmt.Errorf("%w: unknown version", errStep)
	}
	s := &step{Kind: stepKind(b[1])}
	r := stepReader{b: b[2:]}
	if b[0] == sharedVersion {
		s.Writer, r.b = binary.LittleEndian.Uint64(r.b), r.b[8:]
	}
	s.Seq, s.Group, s.Clock = r.uvarint(), uint32(r.uvarint()), r.varint()
	for range r.count() {
		o := offsets{Topic: r.string(), Partition: int32(r.uvarint()), From: int64(r.uvarint())}
		o.To = o.From + int64(r.uvarint())
		s.Ranges = append(s.Ranges, o)
	}
	for range r.count() {
		s.Marks = append(s.Marks, mark{r.string(), r.varint()})
	}
	if r.err == nil && len(r.b) > 0 {
		r.err = errStep
	}
	return s, r.err
}
