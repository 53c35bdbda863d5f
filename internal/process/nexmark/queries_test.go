package nexmark_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"myelin/internal/process/nexmark"
)

const second = 1_000_000

// winner is the highest bid of an auction while it was open, the earliest of several; ok is false if there is none.
func winner(w nexmark.World, a nexmark.Auction) (best nexmark.Bid, ok bool) {
	for _, b := range w.Bids {
		if b.Auction == a.ID && b.At >= a.At && b.At <= a.Expires && (!ok || b.Price > best.Price) {
			best, ok = b, true
		}
	}
	return best, ok
}

// ratio is a quotient as each writes numbers: six digits behind the point at most.
func ratio(a, b int64) string {
	s := strings.TrimRight(big.NewRat(a, b).FloatString(6), "0")
	return strings.TrimSuffix(s, ".")
}

func line(vals ...any) string { return strings.TrimSpace(fmt.Sprintln(vals...)) }

var queries = []struct {
	name, sql string
	plain     func(w nexmark.World) []string
}{
	{"q0", "SELECT auction, bidder, price, at FROM bid", func(w nexmark.World) (out []string) {
		for _, b := range w.Bids {
			out = append(out, line(b.Auction, b.Bidder, b.Price, b.At))
		}
		return out
	}},
	{"q1", "SELECT auction, bidder, 0.908 * price AS price, at FROM bid", func(w nexmark.World) (out []string) {
		for _, b := range w.Bids {
			out = append(out, line(b.Auction, b.Bidder, ratio(908*b.Price, 1000), b.At))
		}
		return out
	}},
	{"q2", "SELECT auction, price FROM bid WHERE auction % 7 = 0", func(w nexmark.World) (out []string) {
		for _, b := range w.Bids {
			if b.Auction%7 == 0 {
				out = append(out, line(b.Auction, b.Price))
			}
		}
		return out
	}},
	{"q3", "SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')", func(w nexmark.World) (out []string) {
		for _, a := range w.Auctions {
			for _, p := range w.Persons {
				if a.Seller == p.ID && a.Category == 10 && p.State != "AZ" {
					out = append(out, line(p.Name, p.City, p.State, a.ID))
				}
			}
		}
		return out
	}},
	{"q4", `SELECT category, avg(final) AS avg FROM (SELECT max(b.price) AS final, a.category FROM auction a, bid b
		WHERE a.id = b.auction AND b.at BETWEEN a.at AND a.expires GROUP BY a.id, a.category) q GROUP BY category`, func(w nexmark.World) (out []string) {
		sum, n := map[int64]int64{}, map[int64]int64{}
		for _, a := range w.Auctions {
			if b, ok := winner(w, a); ok {
				sum[a.Category] += b.Price
				n[a.Category]++
			}
		}
		for c := range sum {
			out = append(out, line(c, ratio(sum[c], n[c])))
		}
		return out
	}},
	{"q5", `SELECT window_start, auction, n FROM (SELECT window_start, auction, count(*) AS n FROM hop(bid, at, INTERVAL '2 seconds', INTERVAL '10 seconds') GROUP BY window_start, auction) t
		QUALIFY rank() OVER (PARTITION BY window_start ORDER BY n DESC) = 1`, func(w nexmark.World) (out []string) {
		counts := map[int64]map[int64]int{}
		for _, b := range w.Bids {
			for s := b.At - b.At%(2*second) - 8*second; s <= b.At; s += 2 * second {
				if counts[s] == nil {
					counts[s] = map[int64]int{}
				}
				counts[s][b.Auction]++
			}
		}
		for s, c := range counts {
			most := 0
			for _, n := range c {
				most = max(most, n)
			}
			for a, n := range c {
				if n == most {
					out = append(out, line(s, a, n))
				}
			}
		}
		return out
	}},
	{"q6", `SELECT seller, id, avg(final) OVER (PARTITION BY seller ORDER BY expires, id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS avg FROM (
		SELECT max(b.price) AS final, a.seller, a.id, a.expires FROM auction a, bid b WHERE a.id = b.auction AND b.at BETWEEN a.at AND a.expires
		GROUP BY a.id, a.seller, a.expires) q`, func(w nexmark.World) (out []string) {
		type sale struct{ id, expires, price int64 }
		bySeller := map[int64][]sale{}
		for _, a := range w.Auctions {
			if b, ok := winner(w, a); ok {
				bySeller[a.Seller] = append(bySeller[a.Seller], sale{a.ID, a.Expires, b.Price})
			}
		}
		for seller, s := range bySeller {
			slices.SortStableFunc(s, func(a, b sale) int {
				if a.expires != b.expires {
					return map[bool]int{true: -1, false: 1}[a.expires < b.expires]
				}
				return int(a.id - b.id)
			})
			for i := range s {
				total := int64(0)
				first := max(i-9, 0)
				for k := first; k <= i; k++ {
					total += s[k].price
				}
				out = append(out, line(seller, s[i].id, ratio(total, int64(i-first+1))))
			}
		}
		return out
	}},
	{"q7", `SELECT b.auction, b.price, b.bidder, b.at FROM bid b JOIN (SELECT max(price) AS most, window_start, window_end FROM tumble(bid, at, INTERVAL '10 seconds') GROUP BY window_start, window_end) m
		ON b.price = m.most AND b.at >= m.window_start AND b.at < m.window_end`, func(w nexmark.World) (out []string) {
		most := map[int64]int64{}
		for _, b := range w.Bids {
			most[b.At/(10*second)] = max(most[b.At/(10*second)], b.Price)
		}
		for _, b := range w.Bids {
			if b.Price == most[b.At/(10*second)] {
				out = append(out, line(b.Auction, b.Price, b.Bidder, b.At))
			}
		}
		return out
	}},
	{"q8", `SELECT p.id, p.name, p.s FROM (SELECT id, name, window_start AS s FROM tumble(person, at, INTERVAL '10 seconds') GROUP BY id, name, window_start) p
		JOIN (SELECT seller, window_start AS s FROM tumble(auction, at, INTERVAL '10 seconds') GROUP BY seller, window_start) a ON p.id = a.seller AND p.s = a.s`, func(w nexmark.World) (out []string) {
		for _, p := range w.Persons {
			if slices.ContainsFunc(w.Auctions, func(a nexmark.Auction) bool {
				return a.Seller == p.ID && a.At/(10*second) == p.At/(10*second)
			}) {
				out = append(out, line(p.ID, p.Name, p.At-p.At%(10*second)))
			}
		}
		return out
	}},
	{"q9", `SELECT a.id, b.bidder, b.price FROM auction a JOIN bid b ON a.id = b.auction AND b.at BETWEEN a.at AND a.expires
		QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.at) = 1`, func(w nexmark.World) (out []string) {
		for _, a := range w.Auctions {
			if b, ok := winner(w, a); ok {
				out = append(out, line(a.ID, b.Bidder, b.Price))
			}
		}
		return out
	}},
	{"q10", "SELECT auction, bidder, price, id, to_char(at, 'YYYY-MM-DD') AS day, to_char(at, 'HH24:MI') AS minute FROM bid", func(w nexmark.World) (out []string) {
		for _, b := range w.Bids {
			at := time.UnixMicro(b.At).UTC()
			out = append(out, line(b.Auction, b.Bidder, b.Price, b.ID, at.Format("2006-01-02"), at.Format("15:04")))
		}
		return out
	}},
	{"q11", `SELECT bidder, window_start, count(*) AS n FROM session(bid PARTITION BY bidder, at, INTERVAL '10 seconds') GROUP BY bidder, window_start, window_end`, func(w nexmark.World) (out []string) {
		last, first, n := map[int64]int64{}, map[int64]int64{}, map[int64]int{}
		for _, b := range w.Bids {
			if n[b.Bidder] > 0 && b.At-last[b.Bidder] >= 10*second {
				out = append(out, line(b.Bidder, first[b.Bidder], n[b.Bidder]))
				n[b.Bidder] = 0
			}
			if n[b.Bidder] == 0 {
				first[b.Bidder] = b.At
			}
			n[b.Bidder]++
			last[b.Bidder] = b.At
		}
		for k := range n {
			out = append(out, line(k, first[k], n[k]))
		}
		return out
	}},
	{"q13", "SELECT b.id, s.name FROM bid b JOIN (VALUES ('apple', 'one'), ('google', 'two')) AS s(channel, name) ON b.channel = s.channel", func(w nexmark.World) (out []string) {
		for _, b := range w.Bids {
			if name := map[string]string{"apple": "one", "google": "two"}[b.Channel]; name != "" {
				out = append(out, line(b.ID, name))
			}
		}
		return out
	}},
	{"q23", "SELECT b.id, a.item, p.name FROM bid b JOIN person p ON b.bidder = p.id JOIN auction a ON b.auction = a.id WHERE b.price > 190", func(w nexmark.World) (out []string) {
		for _, b := range w.Bids {
			if b.Price > 190 {
				out = append(out, line(b.ID, w.Auctions[b.Auction-2000].Item, w.Persons[b.Bidder-1000].Name))
			}
		}
		return out
	}},
	{"q14", `SELECT id, 0.908 * price AS price, CASE WHEN extract(hour FROM at) BETWEEN 8 AND 18 THEN 'dayTime' WHEN extract(hour FROM at) <= 6 OR extract(hour FROM at) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS time, CASE WHEN price < 50 THEN 'low' WHEN price < 150 THEN 'middle' ELSE 'high' END AS class, length(url) - length(replace(url, 'c', '')) AS cs FROM bid WHERE price > 10`, func(w nexmark.World) (out []string) {
		for _, b := range w.Bids {
			class := "high"
			switch {
			case b.Price < 50:
				class = "low"
			case b.Price < 150:
				class = "middle"
			}
			if b.Price > 10 {
				out = append(out, line(b.ID, ratio(908*b.Price, 1000), "nightTime", class, strings.Count(b.URL, "c")))
			}
		}
		return out
	}},
	{"q15", `SELECT to_char(at, 'YYYY-MM-DD') AS day, count(*) AS n, count(*) FILTER (WHERE price < 50) AS low, count(DISTINCT bidder) AS bidders, count(DISTINCT bidder) FILTER (WHERE price >= 150) AS rich, count(DISTINCT auction) AS auctions FROM bid GROUP BY day`,
		func(w nexmark.World) []string {
			return []string{line(append([]any{"2026-01-01"}, statistics(w.Bids)...)...)}
		}},
	{"q16", `SELECT channel, to_char(at, 'YYYY-MM-DD') AS day, count(*) AS n, count(*) FILTER (WHERE price < 50) AS low, count(DISTINCT bidder) AS bidders, count(DISTINCT bidder) FILTER (WHERE price >= 150) AS rich, count(DISTINCT auction) AS auctions FROM bid GROUP BY channel, day`,
		func(w nexmark.World) (out []string) {
			by := map[string][]nexmark.Bid{}
			for _, b := range w.Bids {
				by[b.Channel] = append(by[b.Channel], b)
			}
			for channel, bids := range by {
				out = append(out, line(append([]any{channel, "2026-01-01"}, statistics(bids)...)...))
			}
			return out
		}},
	{"q19", "SELECT auction, id, rank FROM (SELECT auction, id, row_number() OVER (PARTITION BY auction ORDER BY price DESC, id) AS rank FROM bid) t WHERE rank <= 10", func(w nexmark.World) (out []string) {
		by := map[int64][]nexmark.Bid{}
		for _, b := range w.Bids {
			by[b.Auction] = append(by[b.Auction], b)
		}
		for a, bids := range by {
			slices.SortStableFunc(bids, func(x, y nexmark.Bid) int { return int(y.Price - x.Price) })
			for i, b := range bids[:min(len(bids), 10)] {
				out = append(out, line(a, b.ID, i+1))
			}
		}
		return out
	}},
	{"q17", `SELECT auction, to_char(at, 'YYYY-MM-DD') AS day, count(*) AS n, count(*) FILTER (WHERE price < 100) AS low, min(price) AS least, max(price) AS most, avg(price) AS avg, sum(price) AS total FROM bid GROUP BY auction, day`, func(w nexmark.World) (out []string) {
		for _, a := range w.Auctions {
			var n, low, least, most, total int64
			for _, b := range w.Bids {
				if b.Auction != a.ID {
					continue
				}
				if n++; b.Price < 100 {
					low++
				}
				if n == 1 || b.Price < least {
					least = b.Price
				}
				most, total = max(most, b.Price), total+b.Price
			}
			if n > 0 {
				out = append(out, line(a.ID, "2026-01-01", n, low, least, most, ratio(total, n), total))
			}
		}
		return out
	}},
	{"q18", "SELECT bidder, auction, id FROM bid QUALIFY row_number() OVER (PARTITION BY bidder, auction ORDER BY at DESC) = 1", func(w nexmark.World) (out []string) {
		last := map[[2]int64]int64{}
		for _, b := range w.Bids {
			last[[2]int64{b.Bidder, b.Auction}] = b.ID
		}
		for k, id := range last {
			out = append(out, line(k[0], k[1], id))
		}
		return out
	}},
	{"q20", "SELECT b.id, a.item FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10", func(w nexmark.World) (out []string) {
		for _, b := range w.Bids {
			if a := w.Auctions[b.Auction-2000]; a.Category == 10 {
				out = append(out, line(b.ID, a.Item))
			}
		}
		return out
	}},
	{"q21", "SELECT id, CASE WHEN channel = 'apple' THEN '0' ELSE (regexp_match(url, 'channel_id=([^&]*)'))[1] END AS c FROM bid WHERE channel <> 'baidu'", func(w nexmark.World) (out []string) {
		for _, b := range w.Bids {
			if b.Channel != "baidu" {
				c := b.URL[strings.LastIndex(b.URL, "=")+1:]
				if b.Channel == "apple" {
					c = "0"
				}
				out = append(out, line(b.ID, c))
			}
		}
		return out
	}},
	{"q22", "SELECT id, split_part(url, '/', 4) AS a, split_part(url, '/', 5) AS b FROM bid", func(w nexmark.World) (out []string) {
		for _, b := range w.Bids {
			p := strings.Split(b.URL, "/")
			out = append(out, line(b.ID, p[3], p[4]))
		}
		return out
	}},
}

// statistics counts bids, those that are low, their bidders, the rich of these, and their auctions.
func statistics(bids []nexmark.Bid) []any {
	low, bidders, rich, auctions := 0, map[int64]bool{}, map[int64]bool{}, map[int64]bool{}
	for _, b := range bids {
		if b.Price < 50 {
			low++
		}
		if b.Price >= 150 {
			rich[b.Bidder] = true
		}
		bidders[b.Bidder], auctions[b.Auction] = true, true
	}
	return []any{len(bids), low, len(bidders), len(rich), len(auctions)}
}
