package vec

import (
	"encoding/binary"
	"math"
	"math/bits"

	"myelin/internal/vec/jsonb"
)

// The hash is the same in every process and version: it may be stored and used to partition. It is wyhash-like
// (https://github.com/wangyi-fudan/wyhash): multiply to 128 bits and fold.
const (
	mul0 = 0xa0761d6478bd642f
	mul1 = 0xe7037ed1a0b428db
	mul2 = 0x8ebc6af09c88c6e3

	// nullHash is what a NULL adds to a row's hash.
	nullHash = 0x9e3779b97f4a7c15
)

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// HashInt mixes one integer into seed.
func HashInt(seed uint64, x int64) uint64 { return fold(seed^mul0, uint64(x)^mul1) }

// HashBytes mixes bytes into seed.
func HashBytes(seed uint64, b []byte) uint64 {
	h := seed ^ mul0
	n := uint64(len(b))
	for len(b) > 16 {
		h = fold(binary.LittleEndian.Uint64(b)^mul1, binary.LittleEndian.Uint64(b[8:])^h)
		b = b[16:]
	}
	var x, y uint64
	switch {
	case len(b) >= 8:
		x, y = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[len(b)-8:])
	case len(b) >= 4:
		x, y = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[len(b)-4:]))
	case len(b) > 0:
		x = uint64(b[0])<<16 | uint64(b[len(b)/2])<<8 | uint64(b[len(b)-1])
	}
	return fold(mul2^n, fold(x^mul1, y^h))
}

// Hash mixes the rows in sel (nil: the first n) of v into h, which is indexed by row. Values that are not distinct hash alike:
// 1.0 and 1.00, 0 and -0, NULL and NULL. A v of one row stands for n equal rows.
func Hash(v *Vector, sel []int32, n int, h []uint64) {
	step := 1
	if v.Len() == 1 {
		step = 0
	}
	if v.Valid == nil && v.Type.Kind.InInts() {
		if sel == nil {
			for i := range n {
				h[i] = HashInt(h[i], v.Ints[i*step])
			}
			return
		}
		for _, i := range sel {
			h[i] = HashInt(h[i], v.Ints[int(i)*step])
		}
		return
	}
	if sel == nil {
		for i := range n {
			h[i] = HashRow(v, i*step, h[i])
		}
		return
	}
	for _, i := range sel {
		h[i] = HashRow(v, int(i)*step, h[i])
	}
}

// HashRow mixes row i of v into seed.
func HashRow(v *Vector, i int, seed uint64) uint64 {
	if v.IsNull(i) {
		return HashInt(seed, nullHash>>1)
	}
	switch v.Type.Kind {
	case Bool, Unknown:
		if v.Bools[i] {
			return HashInt(seed, 1)
		}
		return HashInt(seed, 0)
	case Float64:
		f := v.Floats[i]
		if f == 0 {
			f = 0 // -0
		}
		if math.IsNaN(f) {
			f = math.NaN()
		}
		return HashInt(seed, int64(math.Float64bits(f)))
	case Numeric:
		d := v.Decs[i].Normal()
		return fold(HashInt(seed, int64(d.Lo))^uint64(d.Scale), uint64(d.Hi)^mul2)
	case Interval:
		hi, lo := v.Intervals[i].span()
		return HashInt(HashInt(seed, hi), int64(lo))
	case Text, Bytea, UUID:
		return HashBytes(seed, v.Bytes(i))
	case JSONB:
		var buf [256]byte
		return HashBytes(seed, jsonb.AppendCanonical(buf[:0], v.Bytes(i)))
	case Array:
		s := v.Spans[i]
		seed = HashInt(seed, int64(s.Len))
		for e := s.Off; e < s.Off+s.Len; e++ {
			seed = HashRow(v.Elem, int(e), seed)
		}
		return seed
	}
	return HashInt(seed, v.Ints[i])
}
