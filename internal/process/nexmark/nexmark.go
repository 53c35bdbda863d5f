// Package nexmark makes the events of the Nexmark benchmark, an auction house: of 50 events, 1 is a person, 3 are auctions and 46 bids.
package nexmark

import (
	"fmt"
	"math/rand/v2"
)

// Person is someone who sells or bids.
type Person struct {
	ID                int64
	Name, City, State string
	At                int64 // microseconds since 1970
}

// Auction is something on offer.
type Auction struct {
	ID, Seller, Category, Initial, Reserve int64
	Item                                   string
	At, Expires                            int64
}

// Bid is an offer for an auction.
type Bid struct {
	ID, Auction, Bidder, Price int64
	Channel, URL               string
	At                         int64
}

// World is all that happened, each list in the order of time.
type World struct {
	Persons  []Person
	Auctions []Auction
	Bids     []Bid
}

const (
	start = 1_767_225_600_000_000 // 2026-01-01
	step  = 100_000               // microseconds between events
)

// Make makes n events. The same seed makes the same.
func Make(n int, seed uint64) World {
	r := rand.New(rand.NewPCG(seed, 50))
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	var w World
	for i := range n {
		at := int64(start + i*step)
		switch k := i % 50; {
		case k == 0:
			w.Persons = append(w.Persons, Person{int64(1000 + len(w.Persons)), pick("Ann", "Bob", "Cid") + " " + pick("Abe", "Bea"), pick("Portland", "Boise", "Phoenix"), pick("OR", "ID", "CA", "AZ"), at})
		case k <= 3:
			seller := w.Persons[max(len(w.Persons)-1-r.IntN(5), 0)].ID
			reserve := int64(10 + r.IntN(60))
			w.Auctions = append(w.Auctions, Auction{int64(2000 + len(w.Auctions)), seller, int64(10 + r.IntN(5)), int64(1 + r.IntN(9)), reserve, fmt.Sprintf("item %d", i), at, at + int64(1+r.IntN(40))*1_000_000})
		default:
			a := w.Auctions[max(len(w.Auctions)-1-r.IntN(6), 0)]
			b := Bid{int64(len(w.Bids)), a.ID, w.Persons[r.IntN(len(w.Persons))].ID, int64(1 + r.IntN(200)), pick("apple", "google", "baidu", "channel-7"), "", at}
			b.URL = fmt.Sprintf("https://www.nexmark.com/%s/%s/item.htm?query=1&channel_id=%d", pick("a", "b"), pick("c", "d"), r.IntN(4))
			w.Bids = append(w.Bids, b)
		}
	}
	return w
}
