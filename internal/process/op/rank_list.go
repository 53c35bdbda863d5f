package op

import "slices"

// rankList is the rows of a partition in order, in pieces, so that a row is put between many without moving them all.
type rankList struct {
	pieces [][]uint32 // none is empty
	n      int
	gone   []uint32 // rows that ceased to occur in the step in hand; some may have come back
	out    int      // how many rows are out
}

// rankPiece is how many rows a piece has at most.
const rankPiece = 512

// place finds where a row belongs: cmp says how it compares with another one.
func (l *rankList) place(cmp func(id uint32) int) (piece, at int, found bool) {
	piece, _ = slices.BinarySearchFunc(l.pieces, 0, func(p []uint32, _ int) int { return -cmp(p[len(p)-1]) })
	if piece == len(l.pieces) {
		if piece == 0 {
			return 0, 0, false
		}
		return piece - 1, len(l.pieces[piece-1]), false
	}
	at, found = slices.BinarySearchFunc(l.pieces[piece], 0, func(id uint32, _ int) int { return -cmp(id) })
	return piece, at, found
}

// insert puts a row at a place that place gave.
func (l *rankList) insert(piece, at int, id uint32) {
	l.n++
	if len(l.pieces) == 0 {
		l.pieces = append(l.pieces, []uint32{id})
		return
	}
	p := slices.Insert(l.pieces[piece], at, id)
	if l.pieces[piece] = p; len(p) > rankPiece {
		half := len(p) / 2
		l.pieces = slices.Insert(l.pieces, piece+1, slices.Clone(p[half:]))
		l.pieces[piece] = p[:half]
	}
}

func (l *rankList) remove(piece, at int) {
	l.n--
	if l.pieces[piece] = slices.Delete(l.pieces[piece], at, at+1); len(l.pieces[piece]) == 0 {
		l.pieces = slices.Delete(l.pieces, piece, piece+1)
	}
}

// at is the row with a number, from 0.
func (l *rankList) at(i int) uint32 {
	for _, p := range l.pieces {
		if i < len(p) {
			return p[i]
		}
		i -= len(p)
	}
	panic("op: a list of ranks is shorter than it says")
}

// cutBehind takes out the rows from a number on and calls f for each; those for which it returns true stay at the end.
func (l *rankList) cutBehind(from int, f func(id uint32) (stays bool)) {
	kept := l.pieces[:0]
	n, seen := 0, 0
	for _, p := range l.pieces {
		first := min(max(from-seen, 0), len(p))
		seen += len(p)
		stay := p[:first]
		for _, id := range p[first:] {
			if f(id) {
				stay = append(stay, id)
			}
		}
		if n += len(stay); len(stay) > 0 {
			kept = append(kept, stay)
		}
	}
	clear(l.pieces[len(kept):])
	l.pieces, l.n = kept, n
}
