package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"myelin/internal/vec"
	"myelin/internal/vec/jsonb"
)

// ErrCorrupt says that stored bytes are not what a codec wrote.
var ErrCorrupt = errors.New("stored row is corrupt")

// A row's bytes (docs/formats/state.md): a bitmap with a bit set for each NULL, then the values that are not NULL, in order.
// A key's bytes are the same with each value in canonical form, so that values which are not distinct have equal bytes.

// AppendRow appends the bytes of row i of cols.
func AppendRow(dst []byte, cols []*vec.Vector, i int) []byte {
	return appendValues(dst, cols, i, false)
}

// AppendKey appends the canonical bytes of row i of cols.
func AppendKey(dst []byte, cols []*vec.Vector, i int) []byte { return appendValues(dst, cols, i, true) }

func appendValues(dst []byte, cols []*vec.Vector, i int, canonical bool) []byte {
	at := len(dst)
	for range (len(cols) + 7) / 8 {
		dst = append(dst, 0)
	}
	for c, v := range cols {
		r := i
		if v.Len() == 1 {
			r = 0
		}
		if v.IsNull(r) {
			dst[at+c>>3] |= 1 << (c & 7)
			continue
		}
		dst = appendValue(dst, v, r, canonical)
	}
	return dst
}

func appendValue(dst []byte, v *vec.Vector, i int, canonical bool) []byte {
	switch v.Type.Kind {
	case vec.Bool, vec.Unknown:
		if v.Bools[i] {
			return append(dst, 1)
		}
		return append(dst, 0)
	case vec.Float64:
		f := v.Floats[i]
		if canonical {
			f = canonicalFloat(f)
		}
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
	case vec.Numeric:
		d := v.Decs[i]
		if canonical {
			d = d.Normal()
		}
		return appendDecimal(dst, d)
	case vec.Interval:
		x := v.Intervals[i]
		if canonical {
			x = canonicalInterval(x)
		}
		dst = binary.LittleEndian.AppendUint32(dst, uint32(x.Months))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(x.Days))
		return binary.LittleEndian.AppendUint64(dst, uint64(x.Micros))
	case vec.UUID:
		return append(dst, v.Bytes(i)...)
	case vec.JSONB:
		if canonical {
			return appendCanonicalJSON(dst, v.Bytes(i))
		}
		return appendBytes(dst, v.Bytes(i))
	case vec.Text, vec.Bytea:
		return appendBytes(dst, v.Bytes(i))
	case vec.Array:
		return appendArray(dst, v, i, canonical)
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(v.Ints[i]))
}

func canonicalFloat(f float64) float64 {
	switch {
	case f == 0:
		return 0 // -0
	case math.IsNaN(f):
		return math.NaN()
	}
	return f
}

// canonicalInterval gives intervals of one length, a month taken as 30 days and a day as 24 hours, one form.
func canonicalInterval(v vec.IntervalValue) vec.IntervalValue {
	days, micros := vec.SplitMicros(v.Micros)
	days += int64(v.Months)*30 + int64(v.Days)
	return vec.IntervalValue{Months: int32(days / 30), Days: int32(days % 30), Micros: micros}
}

func appendBytes(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

func appendCanonicalJSON(dst, text []byte) []byte {
	var buf [256]byte
	return appendBytes(dst, jsonb.AppendCanonical(buf[:0], text))
}

// appendDecimal writes the scale, with the top bit set where the coefficient needs 128 bits, then the coefficient.
func appendDecimal(dst []byte, d vec.Decimal) []byte {
	if d.Hi == int64(d.Lo)>>63 {
		dst = append(dst, byte(d.Scale))
		return binary.LittleEndian.AppendUint64(dst, d.Lo)
	}
	dst = append(dst, byte(d.Scale)|0x80)
	dst = binary.LittleEndian.AppendUint64(dst, d.Lo)
	return binary.LittleEndian.AppendUint64(dst, uint64(d.Hi))
}

func appendArray(dst []byte, v *vec.Vector, i int, canonical bool) []byte {
	s := v.Spans[i]
	dst = binary.AppendUvarint(dst, uint64(s.Len))
	for e := int(s.Off); e < int(s.Off+s.Len); e++ {
		if v.Elem.IsNull(e) {
			dst = append(dst, 1)
			continue
		}
		dst = append(dst, 0)
		dst = appendValue(dst, v.Elem, e, canonical)
	}
	return dst
}

// Rows collects decoded rows in vectors that it owns.
type Rows struct {
	types []vec.Type
	batch vec.Batch
	view  vec.Batch // what Batch gave
}

// NewRows returns an empty collection of rows of the given types.
func NewRows(types []vec.Type) *Rows {
	r := &Rows{types: types}
	r.batch.Cols = make([]*vec.Vector, len(types))
	for i := range types {
		r.batch.Cols[i] = &vec.Vector{}
	}
	r.Reset()
	return r
}

// Reset empties the collection and keeps its memory: batches given out before become invalid.
func (r *Rows) Reset() {
	for i, t := range r.types {
		r.batch.Cols[i].Reset(t)
	}
	r.batch.N, r.batch.Sel, r.batch.Diff = 0, nil, r.batch.Diff[:0]
}

// Len is the number of rows.
func (r *Rows) Len() int { return r.batch.N }

// Batch is the rows collected so far. It lives until the next call of Batch or Reset.
func (r *Rows) Batch() *vec.Batch {
	r.view = r.batch
	if len(r.view.Diff) == 0 {
		r.view.Diff = nil
	}
	return &r.view
}

// Detach gives the rows away and starts anew.
func (r *Rows) Detach() *vec.Batch {
	b := *r.Batch()
	*r = *NewRows(r.types)
	return &b
}

// Append decodes the bytes of one row from the front of b and returns what follows it.
func (r *Rows) Append(b []byte) ([]byte, error) {
	rest, err := DecodeRow(r.batch.Cols, b)
	r.batch.N++
	return rest, err
}

// AppendPair decodes a row whose first nkey columns and whose other columns were encoded one after the other.
func (r *Rows) AppendPair(nkey int, b []byte) ([]byte, error) {
	rest, err := DecodeRow(r.batch.Cols[:nkey], b)
	if nkey < len(r.batch.Cols) {
		var err2 error
		if rest, err2 = DecodeRow(r.batch.Cols[nkey:], rest); err == nil {
			err = err2
		}
	}
	r.batch.N++
	return rest, err
}

// Sign says whether the row appended last is added (+1) or taken back (-1). Either no row has a sign or all have.
func (r *Rows) Sign(sign int8) { r.batch.Diff = append(r.batch.Diff, sign) }

// Open adds a row with a sign and returns the columns, to each of which the caller appends one value.
func (r *Rows) Open(sign int8) []*vec.Vector {
	r.batch.Diff = append(r.batch.Diff, sign)
	r.batch.N++
	return r.batch.Cols
}

// AppendFrom copies row i of cols.
func (r *Rows) AppendFrom(cols []*vec.Vector, i int, sign int8) {
	for c, v := range r.batch.Cols {
		j := i
		if cols[c].Len() == 1 {
			j = 0
		}
		v.Append(cols[c], j)
	}
	r.batch.Diff = append(r.batch.Diff, sign)
	r.batch.N++
}

// DecodeRow appends one row to cols and returns what follows it in b. On corrupt bytes every column still gets its row.
func DecodeRow(cols []*vec.Vector, b []byte) ([]byte, error) {
	nb := (len(cols) + 7) / 8
	if len(b) < nb {
		for _, v := range cols {
			v.AppendNull()
		}
		return nil, ErrCorrupt
	}
	nulls, rest := b[:nb], b[nb:]
	var err error
	for c, v := range cols {
		if err != nil || nulls[c>>3]&(1<<(c&7)) != 0 {
			v.AppendNull()
			continue
		}
		if rest, err = decodeValue(v, rest); err != nil {
			v.AppendNull()
		}
	}
	return rest, err
}

func decodeValue(v *vec.Vector, b []byte) ([]byte, error) {
	switch v.Type.Kind {
	case vec.Bool, vec.Unknown:
		if len(b) < 1 {
			return nil, ErrCorrupt
		}
		v.AppendBool(b[0] != 0)
		return b[1:], nil
	case vec.Numeric:
		d, rest, err := decodeDecimal(b)
		if err != nil {
			return nil, err
		}
		if scale := int32(v.Type.Scale); v.Type.Precision > 0 && d.Scale < scale {
			// Keys hold one form per value, without trailing zeros: NUMERIC(10,2) shows them again.
			if shown, err := d.Rescale(scale); err == nil {
				d = shown
			}
		}
		v.AppendDecimal(d)
		return rest, nil
	case vec.Interval, vec.UUID:
		return decode16(v, b)
	case vec.Text, vec.Bytea, vec.JSONB:
		s, rest, err := cutBytes(b)
		if err != nil {
			return nil, err
		}
		v.AppendBytes(s)
		return rest, nil
	case vec.Array:
		return decodeArray(v, b)
	}
	if len(b) < 8 {
		return nil, ErrCorrupt
	}
	x := binary.LittleEndian.Uint64(b)
	if v.Type.Kind == vec.Float64 {
		v.AppendFloat(math.Float64frombits(x))
	} else {
		v.AppendInt(int64(x))
	}
	return b[8:], nil
}

func decode16(v *vec.Vector, b []byte) ([]byte, error) {
	if len(b) < 16 {
		return nil, ErrCorrupt
	}
	if v.Type.Kind == vec.UUID {
		v.AppendBytes(b[:16])
		return b[16:], nil
	}
	v.AppendInterval(vec.IntervalValue{
		Months: int32(binary.LittleEndian.Uint32(b)), Days: int32(binary.LittleEndian.Uint32(b[4:])),
		Micros: int64(binary.LittleEndian.Uint64(b[8:])),
	})
	return b[16:], nil
}

func decodeDecimal(b []byte) (vec.Decimal, []byte, error) {
	if len(b) < 9 {
		return vec.Decimal{}, nil, ErrCorrupt
	}
	d := vec.Decimal{Scale: int32(b[0] & 0x7f), Lo: binary.LittleEndian.Uint64(b[1:])}
	if d.Scale > vec.MaxDigits {
		return d, nil, fmt.Errorf("%w: scale %d", ErrCorrupt, d.Scale)
	}
	if b[0]&0x80 == 0 {
		d.Hi = int64(d.Lo) >> 63
		return d, b[9:], nil
	}
	if len(b) < 17 {
		return d, nil, ErrCorrupt
	}
	d.Hi = int64(binary.LittleEndian.Uint64(b[9:]))
	return d, b[17:], nil
}

// cutBytes splits length-prefixed bytes off the front of b.
func cutBytes(b []byte) (s, rest []byte, err error) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, ErrCorrupt
	}
	return b[w : w+int(n)], b[w+int(n):], nil
}

func decodeArray(v *vec.Vector, b []byte) ([]byte, error) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, ErrCorrupt
	}
	b = b[w:]
	if v.Elem == nil {
		v.Elem = vec.New(vec.Of(v.Type.Elem), 0)
	}
	start := v.Elem.Len()
	for range n {
		if len(b) < 1 {
			return nil, ErrCorrupt
		}
		null := b[0] != 0
		b = b[1:]
		if null {
			v.Elem.AppendNull()
			continue
		}
		var err error
		if b, err = decodeValue(v.Elem, b); err != nil {
			return nil, err
		}
	}
	v.CloseArray(start)
	return b, nil
}

// skipRow returns what follows a row of the given types in b.
func skipRow(types []vec.Type, b []byte) ([]byte, error) {
	nb := (len(types) + 7) / 8
	if len(b) < nb {
		return nil, ErrCorrupt
	}
	nulls, rest := b[:nb], b[nb:]
	var err error
	for c, t := range types {
		if nulls[c>>3]&(1<<(c&7)) != 0 {
			continue
		}
		if rest, err = skipValue(t, rest); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

func skipValue(t vec.Type, b []byte) ([]byte, error) {
	n := 8
	switch t.Kind {
	case vec.Bool, vec.Unknown:
		n = 1
	case vec.Numeric:
		_, rest, err := decodeDecimal(b)
		return rest, err
	case vec.Interval, vec.UUID:
		n = 16
	case vec.Text, vec.Bytea, vec.JSONB:
		_, rest, err := cutBytes(b)
		return rest, err
	case vec.Array:
		return skipArray(t, b)
	}
	if len(b) < n {
		return nil, ErrCorrupt
	}
	return b[n:], nil
}

func skipArray(t vec.Type, b []byte) ([]byte, error) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, ErrCorrupt
	}
	b = b[w:]
	for range n {
		if len(b) < 1 {
			return nil, ErrCorrupt
		}
		null := b[0] != 0
		b = b[1:]
		if null {
			continue
		}
		var err error
		if b, err = skipValue(vec.Of(t.Elem), b); err != nil {
			return nil, err
		}
	}
	return b, nil
}
