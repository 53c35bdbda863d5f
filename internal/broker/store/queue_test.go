package store

import (
	"testing"
	"testing/synctest"
)

// TestWhoWaitsForAFileSleeps checks that an appender that waits for the next write-ahead file and the committer do not wake each other for
// nothing, and that the appender goes on when something changes.
func TestWhoWaitsForAFileSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1 << 20)
		roused := func() bool {
			synctest.Wait()
			select {
			case <-q.wake:
				return true
			default:
				return false
			}
		}
		admit := func(n int64) <-chan error {
			done := make(chan error, 1)
			go func() {
				q.mu.Lock()
				defer q.mu.Unlock()
				err := q.admit(n, false)
				if err == nil {
					q.push(entry{bytes: n})
				}
				done <- err
			}()
			return done
		}
		first := admit(8 << 10)
		if !roused() {
			t.Fatal("who waits does not wake the committer")
		}
		if got := q.take(nil, 1<<20); len(got) != 0 {
			t.Fatalf("%d entries came out of an empty queue", len(got))
		}
		if roused() {
			t.Error("where nothing was taken who waits was woken")
		}
		q.addSpare(64 << 10)
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		second := admit(1<<20 - 1) // too much beside what is pending
		roused()
		if got := q.take(nil, 1<<20); len(got) != 1 || !got[0].rotate {
			t.Fatalf("took %+v", got)
		}
		if !roused() {
			t.Error("when something was taken nobody was woken")
		}
		q.addSpare(2 << 20)
		if err := <-second; err != nil {
			t.Fatal(err)
		}
		q.take(nil, 2<<20)
		third := admit(2 << 20)
		roused()
		q.mu.Lock()
		q.mu.spares = append(q.mu.spares, 4<<20)
		q.giveBack(0)
		q.mu.Unlock()
		if err := <-third; err != nil {
			t.Fatal(err)
		}
	})
}
