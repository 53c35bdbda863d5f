package store

import (
	"slices"
	"sync"
)

// maxProblems bounds the list of problems kept; later ones are only counted.
const maxProblems = 1000

// problems is the list of damage found.
type problems struct {
	mu struct {
		sync.Mutex
		list  []Problem
		count int64
		seen  map[problemPlace]int64 // where reading can go on after each
	}
}

type problemPlace struct {
	file     string
	position int64
	offset   int64
}

// report adds a problem, once per place.
func (s *Store) report(p Problem) {
	ps := &s.problems
	ps.mu.Lock()
	defer ps.mu.Unlock()
	place := problemPlace{p.File, p.Position, p.Offset}
	if _, seen := ps.mu.seen[place]; seen {
		return
	}
	ps.mu.count++
	if len(ps.mu.list) >= maxProblems {
		return
	}
	if ps.mu.seen == nil {
		ps.mu.seen = map[problemPlace]int64{}
	}
	ps.mu.seen[place] = p.Next
	p.At = s.clock.Now()
	ps.mu.list = append(ps.mu.list, p)
}

// knownDamage is where reading can go on after damage met before, so that it is not searched again.
func (s *Store) knownDamage(file string, position, offset int64) (next int64, ok bool) {
	ps := &s.problems
	ps.mu.Lock()
	defer ps.mu.Unlock()
	next, ok = ps.mu.seen[problemPlace{file, position, offset}]
	return next, ok
}

// Recovery tells what Open found.
func (s *Store) Recovery() Recovery { return s.recovery }

// Problems lists the damage found since Open began, oldest first (bounded; see Stats.Problems for the count).
func (s *Store) Problems() []Problem {
	s.problems.mu.Lock()
	defer s.problems.mu.Unlock()
	return slices.Clone(s.problems.mu.list)
}

// Stats are the store's counters.
func (s *Store) Stats() Stats {
	st := Stats{
		Appends: s.count.appends.Load(), AppendBytes: s.count.appendBytes.Load(), Commits: s.count.commits.Load(),
		Checkpoints: s.count.checkpoints.Load(), CacheReads: s.count.cacheReads.Load(), DiskReads: s.count.diskReads.Load(),
		SegmentsDeleted: s.count.segmentsDeleted.Load(),
		CacheBytes:      s.cache.bytes(), UnflushedBytes: s.flusher.unflushed.Load(), WALBytes: s.wal.bytes(), FreeBytes: s.space.free(),
	}
	for _, t := range s.topicList() {
		st.Topics++
		st.PartitionCount += int64(len(*t.parts.Load()))
	}
	s.problems.mu.Lock()
	st.Problems = s.problems.mu.count
	s.problems.mu.Unlock()
	return st
}
