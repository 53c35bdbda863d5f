package decode

import "golang.org/x/sys/cpu"

// canMark: the processor has AVX2.
var canMark = cpu.X86.HasAVX2

// markBlocks marks 64 bytes after 64 bytes from p on, at least once: in quotes the quotation marks, in odd the backslashes and what is no ASCII.
// before is all of odd but the last, in one.
//
//go:noescape
func markBlocks(p *byte, blocks int, quotes, odd *uint64) (before uint64)
