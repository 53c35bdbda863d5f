package nexmark

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// Stream makes the endless stream of the benchmark's own generator, with its proportions, sizes and hot keys: persons of about 200
// bytes, auctions of 500, bids of 300, as JSON. Half of the bids are for the hot auction, three of four by the hot bidder.
type Stream struct {
	r    *rand.Rand
	n    int64
	gap  int64 // microseconds of event time between events
	from int64 // microseconds since 1970
}

// NewStream starts a stream with rate events per second of event time. The same seed makes the same events.
func NewStream(seed uint64, rate int64) *Stream {
	return &Stream{r: rand.New(rand.NewPCG(seed, 46)), gap: max(1_000_000/rate, 1), from: start}
}

// At is the time of the next event, in microseconds since 1970.
func (s *Stream) At() int64 { return s.from + s.n*s.gap }

const (
	firstID    = 1000
	categories = 5
	inFlight   = 100  // auctions that are bid for besides the hot one
	active     = 1000 // persons who do something besides the hot ones
	lead       = 10   // ids that are used before they are there
	perCycle   = 50   // events: 1 person, 3 auctions, 46 bids
	perAuction = 3
)

// persons and auctions are how many there are by event n.
func persons(n int64) int64 { return n/perCycle + 1 }

func auctions(n int64) int64 {
	return n/perCycle*perAuction + min(max(n%perCycle, 0), perAuction)
}

func (s *Stream) person() int64 {
	all := persons(s.n)
	few := min(all, active)
	return firstID + all - few + s.r.Int64N(few+lead)
}

func (s *Stream) auction() int64 {
	last := max(auctions(s.n)-1, 0)
	low := max(last-inFlight, 0)
	return firstID + low + s.r.Int64N(last-low+1+lead)
}

func (s *Stream) price() int64 { return int64(math.Round(math.Pow(10, s.r.Float64()*6) * 100)) }

func (s *Stream) text(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, byte('a'+s.r.IntN(26)))
	}
	return dst
}

// extra fills an event up to a size of about n bytes, a fifth more or less.
func (s *Stream) extra(dst []byte, n int) []byte {
	return s.text(dst, max(n-n/5+s.r.IntN(max(2*n/5, 1)), 0))
}

func appendTime(dst []byte, micros int64) []byte {
	return time.UnixMicro(micros).UTC().AppendFormat(dst, "2006-01-02 15:04:05.000")
}

var (
	firstNames = []string{"Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"}
	lastNames  = []string{"Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"}
	cities     = []string{"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"}
	states     = []string{"AZ", "CA", "ID", "OR", "WA", "WY"}
	channels   = []string{"Google", "Facebook", "Baidu", "Apple"}
)

// Append appends the JSON text of the next event.
func (s *Stream) Append(dst []byte) []byte {
	switch k := s.n % perCycle; {
	case k == 0:
		dst = s.appendPerson(dst)
	case k <= perAuction:
		dst = s.appendAuction(dst)
	default:
		dst = s.appendBid(dst)
	}
	s.n++
	return dst
}

func (s *Stream) appendPerson(dst []byte) []byte {
	r := s.r
	dst = append(dst, `{"event_type":0,"person":{"id":`...)
	dst = strconv.AppendInt(dst, firstID+persons(s.n)-1, 10)
	dst = append(append(append(append(dst, `,"name":"`...), firstNames[r.IntN(len(firstNames))]...), ' '), lastNames[r.IntN(len(lastNames))]...)
	dst = append(s.text(append(s.text(append(dst, `","emailAddress":"`...), 7), '@'), 5), `.com","creditCard":"`...)
	for i := range 4 {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = strconv.AppendInt(dst, 1000+r.Int64N(9000), 10)
	}
	dst = append(append(dst, `","city":"`...), cities[r.IntN(len(cities))]...)
	dst = append(append(dst, `","state":"`...), states[r.IntN(len(states))]...)
	dst = appendTime(append(dst, `","dateTime":"`...), s.At())
	dst = s.extra(append(dst, `","extra":"`...), 100)
	return append(dst, `"},"auction":null,"bid":null}`...)
}

func (s *Stream) appendAuction(dst []byte) []byte {
	r := s.r
	dst = append(dst, `{"event_type":1,"person":null,"auction":{"id":`...)
	dst = strconv.AppendInt(dst, firstID+auctions(s.n)-1, 10)
	dst = s.text(append(dst, `,"itemName":"`...), 3+r.IntN(17))
	dst = s.text(append(dst, `","description":"`...), 3+r.IntN(97))
	initial := s.price()
	dst = strconv.AppendInt(append(dst, `","initialBid":`...), initial, 10)
	dst = strconv.AppendInt(append(dst, `,"reserve":`...), initial+s.price(), 10)
	dst = appendTime(append(dst, `,"dateTime":"`...), s.At())
	// An auction is open for as long as it takes to make twice the auctions in flight, on average half of that.
	open := max(inFlight*perCycle/perAuction*s.gap*2/1000, 1)
	dst = appendTime(append(dst, `","expires":"`...), s.At()+(1+r.Int64N(open))*1000)
	seller := firstID + (persons(s.n)-1)/100*100
	if r.IntN(4) == 0 {
		seller = s.person()
	}
	dst = strconv.AppendInt(append(dst, `","seller":`...), seller, 10)
	dst = strconv.AppendInt(append(dst, `,"category":`...), 10+r.Int64N(categories), 10)
	dst = s.extra(append(dst, `,"extra":"`...), 200)
	return append(dst, `"},"bid":null}`...)
}

func (s *Stream) appendBid(dst []byte) []byte {
	r := s.r
	auction := firstID + max(auctions(s.n)-1, 0)/100*100
	if r.IntN(2) == 0 {
		auction = s.auction()
	}
	bidder := firstID + (persons(s.n)-1)/100*100 + 1
	if r.IntN(4) == 0 {
		bidder = s.person()
	}
	dst = append(dst, `{"event_type":2,"person":null,"auction":null,"bid":{"auction":`...)
	dst = strconv.AppendInt(dst, auction, 10)
	dst = strconv.AppendInt(append(dst, `,"bidder":`...), bidder, 10)
	dst = strconv.AppendInt(append(dst, `,"price":`...), s.price(), 10)
	dst = append(dst, `,"channel":"`...)
	id := r.Int64N(1 << 30)
	if r.IntN(2) == 0 {
		dst = append(dst, channels[r.IntN(len(channels))]...)
	} else {
		n := r.Int64N(10_000)
		dst = strconv.AppendInt(append(dst, "channel-"...), n, 10)
		id = n * 104_729 & (1<<30 - 1)
	}
	dst = append(dst, `","url":"https://www.nexmark.com/`...)
	for range 3 {
		dst = append(s.text(dst, 5), '/')
	}
	dst = append(dst, `item.htm?query=1`...)
	if r.IntN(10) > 0 {
		dst = strconv.AppendInt(append(dst, `&channel_id=`...), id, 10)
	}
	dst = appendTime(append(dst, `","dateTime":"`...), s.At())
	dst = s.extra(append(dst, `","extra":"`...), 50)
	return append(dst, `"}}`...)
}
