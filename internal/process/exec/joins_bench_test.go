package exec

import (
	"testing"

	"myelin/internal/process/decode"
	"myelin/internal/process/nexmark"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// joinSources are Nexmark's events, each kind a stream of its own.
const joinSources = `
CREATE SOURCE person (id BIGINT FROM 'person.id', name TEXT FROM 'person.name', email TEXT FROM 'person.emailAddress', card TEXT FROM 'person.creditCard',
	city TEXT FROM 'person.city', state TEXT FROM 'person.state', at TIMESTAMP FROM 'person.dateTime', extra TEXT FROM 'person.extra',
	WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'nexmark');
CREATE SOURCE auction (id BIGINT FROM 'auction.id', item TEXT FROM 'auction.itemName', description TEXT FROM 'auction.description',
	initial BIGINT FROM 'auction.initialBid', reserve BIGINT FROM 'auction.reserve', at TIMESTAMP FROM 'auction.dateTime',
	expires TIMESTAMP FROM 'auction.expires', seller BIGINT FROM 'auction.seller', category BIGINT FROM 'auction.category', extra TEXT FROM 'auction.extra',
	WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'nexmark');
CREATE SOURCE bid (auction BIGINT FROM 'bid.auction', bidder BIGINT FROM 'bid.bidder', price BIGINT FROM 'bid.price', channel TEXT FROM 'bid.channel',
	url TEXT FROM 'bid.url', at TIMESTAMP FROM 'bid.dateTime', extra TEXT FROM 'bid.extra',
	WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'nexmark');`

// BenchmarkJoins measures the joins of Nexmark without reading and decoding the events: a million of them in each round.
func BenchmarkJoins(b *testing.B) {
	const size, batches = 4096, 244
	cat := catalog{}
	for _, item := range sql.Parse(joinSources) {
		r, err := plan.BindRelation(item.Stmt.(*sql.CreateRelation), joinSources)
		if err != nil {
			b.Fatal(err)
		}
		cat[r.Name] = r
	}
	for _, q := range []struct{ name, sql string }{
		{"q3", `SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')`},
		{"q4", `SELECT category, avg(final) AS final FROM (SELECT max(b.price) AS final, a.category FROM auction a, bid b
			WHERE a.id = b.auction AND b.at BETWEEN a.at AND a.expires GROUP BY a.id, a.category) t GROUP BY category`},
		{"q9", `SELECT a.*, b.auction, b.bidder, b.price, b.at AS bid_at, b.extra AS bid_extra
			FROM auction a JOIN bid b ON a.id = b.auction AND b.at BETWEEN a.at AND a.expires
			QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.at) = 1`},
		{"q20", `SELECT b.*, a.item, a.description, a.initial, a.reserve, a.at AS a_at, a.expires, a.seller, a.category, a.extra AS a_extra
			FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10`},
		{"q23", `SELECT b.bidder, b.price, b.channel, b.url, b.extra, p.id AS person_id, p.name, p.email, p.card, p.city, p.state, p.extra AS p_extra,
			a.item, a.description, a.initial, a.reserve, a.at, a.expires, a.seller, a.category, a.extra AS a_extra
			FROM bid b JOIN person p ON p.id = b.bidder JOIN auction a ON a.seller = b.bidder`},
	} {
		b.Run(q.name, func(b *testing.B) {
			text := "CREATE MATERIALIZED VIEW v AS " + q.sql
			query, _, err := plan.BindView(sql.Parse(text)[0].Stmt.(*sql.CreateView), text, cat)
			if err != nil {
				b.Fatal(err)
			}
			build := func() (*op.Pipeline, *int) {
				rows := new(int)
				ctx := &op.Ctx{Watermark: op.NoTime, Lateness: 7 * 24 * 3600 * 1e6}
				p, err := op.Build(query, ctx, func(x *vec.Batch) { *rows += x.Rows() })
				if err != nil {
					b.Fatal(err)
				}
				return p, rows
			}
			p, _ := build()
			steps := make([][]*vec.Batch, batches)
			marks := make([]int64, batches)
			stream := nexmark.NewStream(7, 100_000)
			for i := range steps {
				var buf []byte
				kinds := [3][]decode.Record{}
				for range size {
					at := len(buf)
					buf = stream.Append(buf)
					k := buf[at+len(`{"event_type":`)] - '0'
					kinds[k] = append(kinds[k], decode.Record{Key: vec.Span{Off: decode.NoBytes}, Value: vec.Span{Off: uint32(at), Len: uint32(len(buf) - at)}})
				}
				for _, s := range p.Sources {
					dec := decode.New(s.Scan.Columns, nil)
					dec.Foreign = true
					dec.Begin(buf, size)
					for _, r := range kinds[map[string]int{"person": 0, "auction": 1, "bid": 2}[s.Scan.Relation.Name]] {
						dec.Add(r)
					}
					steps[i] = append(steps[i], dec.Batch())
				}
				marks[i] = stream.At() - 4e6
			}
			b.ReportAllocs()
			began := cpuTime()
			var rows *int
			n := 0
			var mem int64
			for b.Loop() {
				p, rows = build()
				for i, s := range steps {
					for k, x := range s {
						p.Sources[k].Push(x)
					}
					p.EndStep(marks[i])
				}
				mem = 0
				for _, s := range p.Stores() {
					mem += s.Size()
				}
				n += size * batches
			}
			used := cpuTime() - began
			b.ReportMetric(float64(used.Nanoseconds())/float64(n), "cpu-ns/ev")
			b.ReportMetric(float64(*rows), "rows")
			b.ReportMetric(float64(mem>>20), "MB")
		})
	}
}
