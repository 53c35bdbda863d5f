package log

import "golang.org/x/sys/cpu"

// canRun: the processor has AVX.
var canRun = cpu.X86.HasAVX

// lz4Run unpacks sequences of a block from si in src to di in dst on, as long as they begin before stop and most. It ends before one of a
// kind that is rare, or that is wrong: literals or a match of more than lz4Longest bytes, and matches that overlap much or lie before least.
//
//go:noescape
func lz4Run(dst *byte, di, most, least int, src *byte, si, stop int) (dnext, snext int)
