package main

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// The proportions and ranges of Nexmark's generator: of 50 events one is a person, three are auctions and 46 are bids; half of
// the bids are for a hot auction, three quarters come from a hot bidder, three quarters of the auctions from a hot seller.
const (
	round           = 50
	personsOfRound  = 1
	auctionsOfRound = 3
	firstPerson     = 1000
	firstAuction    = 1000
	activePersons   = 1000
	openAuctions    = 100
	hotEvery        = 100
	channels        = 10_000
)

// firstTime is the event time of the first event.
var firstTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var (
	hotChannels = []string{"Google", "Facebook", "Baidu", "Apple"}
	states      = []string{"AZ", "CA", "ID", "OR", "WA", "WY"}
	cities      = []string{"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"}
	firstNames  = []string{"Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"}
	lastNames   = []string{"Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"}
)

// events makes Nexmark's events one after the other, as JSON; the same seed makes the same.
type events struct {
	rand *rand.Rand
	rate int64 // events a second of event time
	n    int64 // made so far
	urls [channels]string
}

func newEvents(seed uint64, rate int64) *events {
	e := &events{rand: rand.New(rand.NewPCG(seed, 46)), rate: rate}
	for i := range e.urls {
		u := e.baseURL()
		if e.rand.IntN(10) > 0 {
			u += "&channel_id=" + strconv.Itoa(e.rand.IntN(1<<31-1))
		}
		e.urls[i] = u
	}
	return e
}

func (e *events) baseURL() string {
	b := []byte("https://www.nexmark.com/")
	for range 3 {
		b = append(e.letters(b, 5), '/')
	}
	return string(append(b, "item.htm?query=1"...))
}

func (e *events) letters(b []byte, n int) []byte {
	var bits uint64
	for i := range n {
		if i%12 == 0 {
			bits = e.rand.Uint64()
		}
		b = append(b, 'a'+byte(bits%26))
		bits /= 26
	}
	return b
}

func (e *events) price() int64 { return int64(math.Round(math.Pow(10, e.rand.Float64()*6) * 100)) }

// person picks a person who was there lately, or will be soon.
func (e *events) person(last int64) int64 {
	active := min(last+1, activePersons)
	return last + 1 - active + e.rand.Int64N(active+10)
}

// next appends the next event to b; at is its event time.
func (e *events) next(b []byte, at time.Time) []byte {
	epoch, k := e.n/round, e.n%round
	e.n++
	switch {
	case k < personsOfRound:
		return e.appendPerson(b, epoch, at)
	case k < personsOfRound+auctionsOfRound:
		return e.appendAuction(b, epoch*auctionsOfRound+k-personsOfRound, epoch, at)
	}
	return e.appendBid(b, epoch*auctionsOfRound+auctionsOfRound-1, epoch, at)
}

// at is the event time of the event that comes next.
func (e *events) at() time.Time {
	return firstTime.Add(time.Duration(e.n) * time.Second / time.Duration(e.rate))
}

func (e *events) appendPerson(b []byte, n int64, at time.Time) []byte {
	pick := func(words []string) string { return words[e.rand.IntN(len(words))] }
	b = append(b, `{"event_type":0,"person":{"id":`...)
	b = strconv.AppendInt(b, firstPerson+n, 10)
	b = append(b, `,"name":"`+pick(firstNames)+" "+pick(lastNames)+`","emailAddress":"`...)
	b = append(e.letters(b, 7), '@')
	b = append(e.letters(b, 5), `.com","creditCard":"`...)
	for i := range 4 {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, 1000+e.rand.Int64N(9000), 10)
	}
	b = append(b, `","city":"`+pick(cities)+`","state":"`+pick(states)+`","dateTime":"`...)
	b = appendTime(b, at)
	b = append(b, `","extra":"`...)
	b = e.letters(b, 60)
	return append(b, `"},"auction":null,"bid":null}`...)
}

func (e *events) appendAuction(b []byte, n, lastPerson int64, at time.Time) []byte {
	seller := e.person(lastPerson)
	if e.rand.IntN(4) > 0 {
		seller = lastPerson / hotEvery * hotEvery
	}
	// An auction lasts about as long as it takes until openAuctions others have begun.
	horizon := openAuctions * round / auctionsOfRound * 1000 / e.rate
	initial := e.price()
	b = append(b, `{"event_type":1,"person":null,"auction":{"id":`...)
	b = strconv.AppendInt(b, firstAuction+n, 10)
	b = append(b, `,"itemName":"`...)
	b = e.letters(b, 12)
	b = append(b, `","description":"`...)
	b = e.letters(b, 60)
	b = append(b, `","initialBid":`...)
	b = strconv.AppendInt(b, initial, 10)
	b = append(b, `,"reserve":`...)
	b = strconv.AppendInt(b, initial+e.price(), 10)
	b = append(b, `,"dateTime":"`...)
	b = appendTime(b, at)
	b = append(b, `","expires":"`...)
	b = appendTime(b, at.Add(time.Duration(1+e.rand.Int64N(max(2*horizon, 1)))*time.Millisecond))
	b = append(b, `","seller":`...)
	b = strconv.AppendInt(b, firstPerson+seller, 10)
	b = append(b, `,"category":`...)
	b = strconv.AppendInt(b, 10+e.rand.Int64N(5), 10)
	b = append(b, `,"extra":"`...)
	b = e.letters(b, 200)
	return append(b, `"},"bid":null}`...)
}

func (e *events) appendBid(b []byte, lastAuction, lastPerson int64, at time.Time) []byte {
	auction := lastAuction / hotEvery * hotEvery
	if e.rand.IntN(2) > 0 {
		from := max(lastAuction-openAuctions, 0)
		auction = from + e.rand.Int64N(lastAuction-from+1+10)
	}
	bidder := lastPerson/hotEvery*hotEvery + 1
	if e.rand.IntN(4) == 0 {
		bidder = e.person(lastPerson)
	}
	b = append(b, `{"event_type":2,"person":null,"auction":null,"bid":{"auction":`...)
	b = strconv.AppendInt(b, firstAuction+auction, 10)
	b = append(b, `,"bidder":`...)
	b = strconv.AppendInt(b, firstPerson+bidder, 10)
	b = append(b, `,"price":`...)
	b = strconv.AppendInt(b, e.price(), 10)
	b = append(b, `,"channel":"`...)
	if e.rand.IntN(2) > 0 {
		i := e.rand.IntN(len(hotChannels))
		b = append(b, hotChannels[i]+`","url":"`+e.urls[i]...)
	} else {
		i := e.rand.IntN(channels)
		b = append(b, "channel-"...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, `","url":"`+e.urls[i]...)
	}
	b = append(b, `","dateTime":"`...)
	b = appendTime(b, at)
	b = append(b, `","extra":"`...)
	b = e.letters(b, 30+e.rand.IntN(40))
	return append(b, `"}}`...)
}

func appendTime(b []byte, at time.Time) []byte { return at.AppendFormat(b, "2006-01-02 15:04:05.000") }
