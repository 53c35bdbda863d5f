package oracle_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"myelin/internal/process/nexmark"
	"myelin/internal/process/op"
	"myelin/internal/process/oracle"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

var (
	tumbles = regexp.MustCompile(`tumble\((\w+), at, INTERVAL '(\w+ \w+)'\)`)
	hops    = regexp.MustCompile(`hop\((\w+), at, INTERVAL '(\w+ \w+)', INTERVAL '(\w+ \w+)'\)`)
)

// inPostgres puts windows into PostgreSQL's words.
func inPostgres(q string) string {
	const bin = `date_bin('$2', at, TIMESTAMP '1970-01-01')`
	q = tumbles.ReplaceAllString(q, `(SELECT *, `+bin+` AS window_start, `+bin+` + INTERVAL '$2' AS window_end FROM $1)`)
	return hops.ReplaceAllString(q, `(SELECT $1.*, w AS window_start, w + INTERVAL '$3' AS window_end FROM $1 CROSS JOIN
		generate_series(`+bin+` - INTERVAL '$3' + INTERVAL '$2', `+bin+`, INTERVAL '$2') w)`)
}

// auctionHouse fills tables with the events of Nexmark, here and in PostgreSQL.
func auctionHouse(t *testing.T, events int) database {
	t.Helper()
	w := nexmark.Make(events, 1)
	at := func(micros int64) string { return time.UnixMicro(micros).UTC().Format("2006-01-02 15:04:05.000000") }
	rows := map[string][]string{}
	for _, p := range w.Persons {
		rows["person"] = append(rows["person"], fmt.Sprintf("(%d, '%s', '%s', '%s', '%s')", p.ID, p.Name, p.City, p.State, at(p.At)))
	}
	for _, a := range w.Auctions {
		rows["auction"] = append(rows["auction"], fmt.Sprintf("(%d, %d, %d, '%s', '%s', '%s')", a.ID, a.Seller, a.Category, a.Item, at(a.At), at(a.Expires)))
	}
	for _, b := range w.Bids {
		rows["bid"] = append(rows["bid"], fmt.Sprintf("(%d, %d, %d, %d, '%s', '%s', '%s')", b.ID, b.Auction, b.Bidder, b.Price, b.Channel, b.URL, at(b.At)))
	}
	d := database{}
	columns := map[string]string{
		"person": "id bigint, name text, city text, state text, at timestamp", "auction": "id bigint, seller bigint, category bigint, item text, at timestamp, expires timestamp",
		"bid": "id bigint, auction bigint, bidder bigint, price bigint, channel text, url text, at timestamp",
	}
	for _, name := range []string{"person", "auction", "bid"} {
		for _, s := range []string{"CREATE TABLE " + name + " (" + columns[name] + ")", "INSERT INTO " + name + " VALUES " + strings.Join(rows[name], ", ")} {
			if _, err := d.run(s); err != nil {
				t.Fatal(err)
			}
			if pg == nil {
				continue
			}
			if _, err := pg.Ask(strings.Replace("DROP TABLE IF EXISTS "+name+"; "+s, "DROP TABLE IF EXISTS "+name+"; INSERT", "INSERT", 1)); err != nil {
				t.Fatal(err)
			}
		}
		r := d[name].rel
		r.TimeCol = slices.IndexFunc(r.Columns, func(c plan.Column) bool { return c.Name == "at" })
	}
	return d
}

// watch computes a query as a view of rows that come about in the order of their times, none of them late, while the watermark follows.
func (d database) watch(text string, without plan.Rewrites, seed uint64) (rows [][]string, fired plan.Rewrites, explained string, err error) {
	for _, t := range d {
		t.rel.Kind, t.rel.AppendOnly = plan.View, true
	}
	defer func() {
		for _, t := range d {
			t.rel.Kind, t.rel.AppendOnly = plan.Table, false
		}
	}()
	q, err := plan.BindText(text, d, plan.Options{Continuous: true, Without: without, Explain: true})
	if err != nil {
		return nil, 0, "", err
	}
	explained = plan.Explain(q.Root)
	have := map[string]int{}
	ctx := &op.Ctx{
		Watermark: op.NoTime, Lateness: 1_000_000,
		Late:   func(*vec.Batch, int) { err = cmp.Or(err, fmt.Errorf("a row is taken for late")) },
		Failed: func(_ *vec.Batch, _ int, e error) { err = cmp.Or(err, e) },
	}
	p, berr := op.Build(q, ctx, func(b *vec.Batch) {
		for k, row := range canonical(texts(b)) {
			i := k
			if b.Sel != nil {
				i = int(b.Sel[k])
			}
			have[strings.Join(row, "\x00")] += int(b.Sign(i))
		}
	})
	if berr != nil {
		return nil, 0, explained, berr
	}
	const slack = 3_000_000
	r := rand.New(rand.NewPCG(seed, 13))
	type arrival struct {
		change
		at, comes int64
	}
	var order []arrival
	for _, name := range slices.Sorted(maps.Keys(d)) {
		t := d[name]
		for i, at := range t.cols[t.rel.TimeCol].Ints {
			order = append(order, arrival{change{name, i, 1}, at, at + r.Int64N(slack)})
		}
	}
	slices.SortStableFunc(order, func(a, b arrival) int { return cmp.Compare(a.comes, b.comes) })
	for i, a := range order {
		for _, s := range p.Sources {
			if s.Scan.Relation.Name == a.table {
				s.Push(d.batch(s.Scan, a.change))
			}
		}
		if r.IntN(20) == 0 || i == len(order)-1 {
			p.EndStep(a.comes - slack)
		}
	}
	for row, n := range have {
		if n < 0 {
			return nil, 0, explained, fmt.Errorf("the row %q is taken back %d times too often", row, -n)
		}
		for range n {
			rows = append(rows, strings.Split(row, "\x00"))
		}
	}
	slices.SortFunc(rows, slices.Compare)
	return rows, q.Fired | ctx.Fired, explained, err
}

// TestNexmarkHoweverItIsSpelled asks each question of Nexmark in several ways. However it is asked, at once or as a view, with all rewrites
// or without any, the answer is PostgreSQL's (or, where that is not installed, the same), and the rewrites that make it quick are found.
func TestNexmarkHoweverItIsSpelled(t *testing.T) {
	d := auctionHouse(t, 900)
	for _, ask := range nexmarkSpellings {
		t.Run(ask.name, func(t *testing.T) {
			var want [][]string
			if pg != nil {
				rows, err := pg.Ask(inPostgres(ask.postgres))
				if err != nil {
					t.Fatal(err)
				}
				want = rounded(rows)
			}
			for i, s := range ask.here {
				check := func(how string, got [][]string, err error) {
					t.Helper()
					got = rounded(got)
					if want == nil && err == nil {
						want = got
					}
					if err != nil || len(got) == 0 || !slices.EqualFunc(got, want, slices.Equal) {
						t.Errorf("%s: %s\n %d rows: %.300s\nwant %d: %.300s", how, s.sql, len(got), flat(got, err), len(want), flat(want, nil))
					}
				}
				rows, err := d.run(s.sql)
				check("once", rows, err)
				rows, err = d.runWithout(s.sql, plan.AllRewrites)
				check("once, without rewrites", rows, err)
				rows, _, _, err = d.watch(s.sql, plan.AllRewrites, uint64(i))
				check("as a view, without rewrites", rows, err)
				rows, fired, explained, err := d.watch(s.sql, 0, uint64(i))
				check("as a view", rows, err)
				if fired&s.fires != s.fires || !strings.Contains(explained, s.says) {
					t.Errorf("%s\n  rewrites %s, want %s and %q in\n%s", s.sql, fired, s.fires, s.says, explained)
				}
			}
		})
	}
}

// rounded sorts rows, their numbers with six digits behind the point at most: quotients have more there, or fewer.
func rounded(rows [][]string) [][]string {
	for _, row := range rows {
		for i, cell := range row {
			if d, err := vec.ParseDecimal([]byte(cell)); err == nil && cell != oracle.Null {
				if d, err = d.Round(6); err == nil {
					row[i] = fmt.Sprint(d.Normal())
				}
			}
		}
	}
	slices.SortFunc(rows, slices.Compare)
	return rows
}
