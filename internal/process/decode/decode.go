// Package decode turns the JSON values of log records into columns: it scans each record once, stops at the values that the
// queries over the topic need, and refers to strings where they lie.
package decode

import (
	"slices"
	"strconv"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// Record is one record of a topic. Key and Value are ranges of the decoder's buffer; a null key or value has Off NoBytes.
type Record struct {
	Key, Value vec.Span
	Partition  int32
	Offset     int64
	Timestamp  int64 // milliseconds
}

// NoBytes is the Off of a null key or value.
const NoBytes = ^uint32(0)

// Decoder fills one batch after another. It is used by one goroutine. A record's JSON should be valid: the parts of it that no
// column needs are skipped, not checked.
type Decoder struct {
	cols  []column
	root  node
	parts []int // columns that do not lie in the value
	value bool  // some column lies in the value
	only  *Only // nil: all rows are of use
	forms shapes
	marks marks

	buf    []byte // borrowed from the reader, ours once something was appended
	rows   int
	row    int  // the row being filled
	judged bool // whether it is of use was found while it was read
	lean   bool // it is of none
	minute minute
	stamp  uint32
	batch  vec.Batch

	// Foreign is set for topics that others write to: JSON documents are checked before they become values.
	Foreign bool
	// Objects makes records that are no JSON objects no rows even if no column lies in the value, so that how many rows there are does
	// not depend on the columns that are asked for.
	Objects bool
	// Malformed counts records whose value is not a JSON object.
	Malformed int64
	misfits   []Misfit
}

// Misfit is a value that was not of its column's type, and became NULL.
type Misfit struct{ Row, Col int32 }

// column is an output column, filled at random rows.
type column struct {
	vec.Vector
	scan  plan.ScanColumn
	fit   int // conversion
	valid vec.Bitmap
	tmp   *vec.Vector // for the rare kinds
}

// node is a place in the JSON value: the columns that take what lies here, and the members that lead on.
type node struct {
	cols  []int32
	kids  []kid
	seen  uint32 // stamp of the record in which it was last filled
	array bool   // some member is a number: arrays are looked into too
	shape []expected
}

type kid struct {
	name string
	elem int // the name as an array position, -1: it is none
	*node
}

// New returns a decoder for the given columns. events restricts it to records whose top-level "event" is one of them; nil takes
// all. Others become no rows.
func New(cols []plan.ScanColumn, events []string) *Decoder {
	d := &Decoder{}
	for i, c := range cols {
		col := column{scan: c, fit: fitOf(c)}
		col.Type = c.Type
		d.cols = append(d.cols, col)
		d.batch.Cols = append(d.batch.Cols, &vec.Vector{})
		switch c.From {
		case plan.FromValue:
			d.root.add(c.Path, int32(i))
		case plan.FromUserKey:
			// userId fills the column, and anonymousId too unless it is filled.
			d.root.add([]string{"userId"}, int32(i))
			d.root.add([]string{"anonymousId"}, ^int32(i))
		default:
			d.parts = append(d.parts, i)
			continue
		}
		d.value = true
	}
	if events != nil {
		o := &Only{Col: len(d.cols), Texts: [][]byte{}, all: true}
		d.only, d.value = o, true
		col := column{fit: fitText}
		col.Type = vec.Of(vec.Text)
		d.cols = append(d.cols, col)
		d.root.add([]string{"event"}, int32(o.Col))
		for _, e := range events {
			o.Texts = append(o.Texts, []byte(e))
		}
	}
	return d
}

// HasValue reports whether some column of a relation lies in the records' values.
func HasValue(r *plan.Relation) bool {
	return slices.ContainsFunc(r.Scan, func(c plan.ScanColumn) bool { return c.From == plan.FromValue || c.From == plan.FromUserKey })
}

func (n *node) add(path []string, col int32) {
	if len(path) == 0 {
		n.cols = append(n.cols, col)
		return
	}
	i := slices.IndexFunc(n.kids, func(k kid) bool { return k.name == path[0] })
	if i < 0 {
		elem, err := strconv.Atoi(path[0])
		if err != nil || elem < 0 || strconv.Itoa(elem) != path[0] {
			elem = -1
		}
		i = len(n.kids)
		n.kids = append(n.kids, kid{path[0], elem, &node{}})
		n.array = n.array || elem >= 0
	}
	n.kids[i].add(path[1:], col)
}

// Begin starts a batch of at most n records that lie in buf, which must stay as it is until the batch is done with. What must be
// kept besides is appended to buf, so its capacity must be free.
func (d *Decoder) Begin(buf []byte, n int) {
	if d.buf = buf; cap(buf)-len(buf) >= overread {
		d.buf = append(buf, make([]byte, overread)...)
	}
	d.rows, d.row = n, 0
	d.misfits = d.misfits[:0]
	for i := range d.cols {
		c := &d.cols[i]
		c.Valid, c.Borrowed, c.Buf = nil, true, nil
		c.Resize(n)
		words := (n + 63) / 64
		if cap(c.valid) < words {
			c.valid = make(vec.Bitmap, words)
		}
		c.valid = c.valid[:words]
		clear(c.valid)
	}
}

// Fate is what became of a record.
type Fate uint8

// What becomes of records.
const (
	Row       Fate = iota // a row
	LeftOut               // none, as it would be of no use: see Only
	Malformed             // none, as it is no JSON object
)

// Add decodes one record.
func (d *Decoder) Add(r Record) Fate {
	if d.row >= d.rows {
		panic("decode: more records than the batch was begun for")
	}
	if d.value || d.Objects {
		d.judged = false
		if !d.scan(r.Value) {
			d.undo()
			d.Malformed++
			return Malformed
		}
		if d.only != nil {
			if !d.judged {
				d.lean = !d.useful()
			}
			if d.lean && d.idle() {
				return LeftOut
			}
		}
	}
	for _, i := range d.parts {
		c := &d.cols[i]
		switch c.scan.From {
		case plan.FromKey:
			if r.Key.Off != NoBytes {
				d.setKey(i, c, r.Key)
			}
		case plan.FromTime:
			d.setInt(c, r.Timestamp*1000)
		case plan.FromOffset:
			d.setInt(c, r.Offset)
		case plan.FromPartition:
			d.setInt(c, int64(r.Partition))
		}
	}
	d.row++
	return Row
}

func (d *Decoder) setInt(c *column, x int64) {
	c.Ints[d.row] = x
	c.valid.Set(d.row)
}

// setKey makes the record's key, which is text, the value of a column.
func (d *Decoder) setKey(at int, c *column, key vec.Span) {
	switch c.Type.Kind {
	case vec.Text, vec.Bytea:
		c.Spans[d.row] = key
		c.valid.Set(d.row)
	default:
		if !d.parseText(c, d.buf[key.Off:key.Off+key.Len]) {
			d.misfit(at)
		}
	}
}

// scan decodes the value of a record and reports whether it is a JSON object.
func (d *Decoder) scan(v vec.Span) bool {
	if v.Off == NoBytes {
		return false
	}
	s := scanner{b: d.buf[v.Off : v.Off+v.Len], base: v.Off}
	d.stamp++
	whole := len(d.buf)-int(v.Off+v.Len) >= overread
	if whole && d.forms.have > 0 && d.compare(&s) {
		return true
	}
	i := s.space(0)
	if i >= len(s.b) || s.b[i] != '{' {
		return false
	}
	d.stamp++
	d.root.seen = d.stamp
	end := d.capture(&s, i, &d.root)
	if end < 0 || s.space(end) != len(s.b) {
		return false
	}
	if whole {
		d.learn(s.b)
	}
	return true
}

// undo empties the row being filled.
func (d *Decoder) undo() {
	for i := range d.cols {
		d.cols[i].valid.Clear(d.row)
	}
	for n := len(d.misfits); n > 0 && int(d.misfits[n-1].Row) == d.row; n-- {
		d.misfits = d.misfits[:n-1]
	}
}

// Misfits are the values of the batch that were not of their columns' types, by row. It is valid until the next Begin.
func (d *Decoder) Misfits() []Misfit {
	// Of several members of one name the last counts: a misfit before it is none.
	d.misfits = slices.DeleteFunc(d.misfits, func(m Misfit) bool { return d.cols[m.Col].valid.Has(int(m.Row)) })
	d.misfits = slices.Compact(d.misfits)
	return d.misfits
}

// misfit notes that a value does not fit a column.
func (d *Decoder) misfit(col int) {
	if len(d.misfits) < maxMisfits {
		d.misfits = append(d.misfits, Misfit{int32(d.row), int32(col)})
	}
}

// maxMisfits is how many misfits of a batch are told; a batch that has more is of another schema altogether.
const maxMisfits = 1 << 16

// Rows is the number of rows so far.
func (d *Decoder) Rows() int { return d.row }

// Batch ends the batch. It is valid until the next Begin.
func (d *Decoder) Batch() *vec.Batch {
	n := d.row
	d.batch.N = n
	for i, out := range d.batch.Cols {
		c := &d.cols[i]
		*out = c.Vector
		out.Valid = nil
		if !full(c.valid, n) {
			out.Valid = c.valid
		}
		trim(out, n)
		if out.Type.Kind.InSpans() && c.fit != fitOther {
			out.Buf, out.Borrowed = d.buf, true
		}
	}
	return &d.batch
}

func full(b vec.Bitmap, n int) bool {
	for w := range n / 64 {
		if b[w] != ^uint64(0) {
			return false
		}
	}
	rest := uint64(1)<<(n%64) - 1
	return n%64 == 0 || b[n/64]&rest == rest
}

// trim cuts a vector to n rows.
func trim(v *vec.Vector, n int) {
	switch k := v.Type.Kind; {
	case k == vec.Bool || k == vec.Unknown:
		v.Bools = v.Bools[:n]
	case k == vec.Float64:
		v.Floats = v.Floats[:n]
	case k == vec.Numeric:
		v.Decs = v.Decs[:n]
	case k == vec.Interval:
		v.Intervals = v.Intervals[:n]
	case k == vec.Array || k.InSpans():
		v.Spans = v.Spans[:n]
	default:
		v.Ints = v.Ints[:n]
	}
}

// keep appends bytes that do not lie in a record to the buffer and returns where they are.
func (d *Decoder) keep(b []byte) vec.Span {
	at := uint32(len(d.buf))
	d.buf = append(d.buf, b...)
	return vec.Span{Off: at, Len: uint32(len(b))}
}
