package demo

import (
	"container/heap"
	"time"
)

// agenda is what will happen, earliest first; equal times keep the order in which they were planned.
type agenda struct {
	items  appointments
	serial int
}

type appointment struct {
	at     time.Time
	serial int
	do     func()
}

func (a *agenda) push(at time.Time, do func()) {
	a.serial++
	heap.Push(&a.items, appointment{at: at, serial: a.serial, do: do})
}

func (a *agenda) pop() appointment { return heap.Pop(&a.items).(appointment) }

func (a *agenda) peek() time.Time { return a.items[0].at }

type appointments []appointment

func (a appointments) Len() int      { return len(a) }
func (a appointments) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a appointments) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].serial < a[j].serial
}
func (a *appointments) Push(x any) { *a = append(*a, x.(appointment)) }
func (a *appointments) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	*a = (*a)[:last]
	return x
}
