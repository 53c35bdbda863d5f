package oracle_test

import "myelin/internal/process/plan"

// asked is a question of Nexmark: how PostgreSQL is asked (windows are put into its words by inPostgres), and how it may be asked here.
type asked struct {
	name, postgres string
	here           []spelling
}

// spelling is a query, the rewrites that must make it quick as a view, and what EXPLAIN must say.
type spelling struct {
	sql   string
	fires plan.Rewrites
	says  string
}

const (
	expires = "rows until expires"
	top     = "Top "
	alone   = "of each window alone"

	counts = `(SELECT window_start, auction, count(*) AS n FROM hop(bid, at, INTERVAL '2 seconds', INTERVAL '10 seconds') h GROUP BY window_start, auction)`
	most   = `(SELECT window_start, max(price) AS most FROM tumble(bid, at, INTERVAL '10 seconds') h GROUP BY window_start)`
)

var nexmarkSpellings = []asked{
	{"q2", `SELECT auction, price FROM bid WHERE auction % 7 = 0`, []spelling{
		{sql: `SELECT auction, price FROM bid WHERE mod(auction, 7) = 0`},
		{sql: `SELECT auction, price FROM (SELECT auction, price, auction % 7 AS r FROM bid) b WHERE r = 0`},
	}},
	{"q3", `SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')`, []spelling{
		{sql: `SELECT p.name, p.city, p.state, a.id FROM auction a, person p WHERE a.seller = p.id AND a.category = 10 AND (p.state = 'OR' OR p.state = 'ID' OR p.state = 'CA')`, fires: plan.PushConditions | plan.Pairs},
		{sql: `SELECT name, city, state, a.id FROM (SELECT id, seller FROM auction WHERE category = 10) a JOIN (SELECT id AS seller, name, city, state FROM person) p USING (seller) WHERE state = ANY (ARRAY['OR', 'ID', 'CA'])`, fires: plan.PushConditions | plan.Pairs},
	}},
	{"q4", `SELECT category, avg(final) AS avg FROM (SELECT max(b.price) AS final, a.category FROM auction a, bid b WHERE a.id = b.auction AND b.at BETWEEN a.at AND a.expires GROUP BY a.id, a.category) q GROUP BY category`, []spelling{
		{sql: `SELECT category, avg(final) AS avg FROM (SELECT max(b.price) AS final, a.category FROM auction a, bid b WHERE a.id = b.auction AND b.at BETWEEN a.at AND a.expires GROUP BY a.id, a.category) q GROUP BY category`, fires: plan.Pairs | plan.JoinExpiry, says: expires},
		{sql: `WITH w AS (SELECT a.id, a.category, max(price) AS final FROM bid b JOIN auction a ON b.auction = a.id AND NOT (b.at < a.at OR a.expires < b.at) GROUP BY 1, 2) SELECT category, avg(final) FROM w GROUP BY category`, fires: plan.Pairs | plan.JoinExpiry, says: expires},
		{sql: `SELECT category, sum(final) / count(*) FROM (SELECT DISTINCT ON (auction) auction, category, price::numeric AS final FROM bid JOIN (SELECT id AS auction, category, at AS opens, expires FROM auction) a USING (auction) WHERE at >= opens AND at <= expires ORDER BY auction, price DESC) w GROUP BY category`, fires: plan.Pairs | plan.JoinExpiry | plan.FirstRows, says: expires},
		{sql: `SELECT category, avg(final) FROM (SELECT category, (SELECT max(price) FROM bid b WHERE b.auction = a.id AND b.at BETWEEN a.at AND a.expires) AS final FROM auction a) w GROUP BY category`, fires: plan.JoinExpiry, says: expires},
	}},
	{"q5", `SELECT window_start, auction, n FROM (SELECT *, rank() OVER (PARTITION BY window_start ORDER BY n DESC) AS k FROM ` + counts + ` c) t WHERE k = 1`, []spelling{
		{sql: `SELECT window_start, auction, n FROM ` + counts + ` c QUALIFY rank() OVER (PARTITION BY window_start ORDER BY n DESC) = 1`, fires: plan.Panes | plan.RanksToTop, says: top},
		{sql: `SELECT window_start, auction, n FROM (SELECT *, dense_rank() OVER (PARTITION BY window_start ORDER BY n DESC) AS k FROM ` + counts + ` c) t WHERE k < 2`, fires: plan.Panes | plan.RanksToTop, says: top},
		{sql: `SELECT c.window_start, c.auction, c.n FROM ` + counts + ` c JOIN (SELECT window_start, max(n) AS most FROM ` + counts + ` d GROUP BY window_start) m ON c.window_start = m.window_start AND c.n >= m.most`, fires: plan.Panes | plan.SharedAggregates},
		{sql: `WITH c AS ` + counts + `, m AS (SELECT window_start, max(n) AS n FROM c GROUP BY window_start) SELECT window_start, auction, n FROM c JOIN m USING (window_start, n)`, fires: plan.Panes | plan.SharedAggregates},
		{sql: `WITH c AS ` + counts + ` SELECT * FROM c WHERE (window_start, n) IN (SELECT window_start, max(n) FROM c GROUP BY window_start)`, fires: plan.Panes | plan.SharedAggregates},
		{sql: `WITH c AS ` + counts + ` SELECT * FROM c WHERE n = (SELECT max(n) FROM c d WHERE d.window_start = c.window_start)`, fires: plan.Panes | plan.SharedAggregates},
		{sql: `SELECT window_start, auction, n FROM (SELECT *, max(n) OVER (PARTITION BY window_start) AS most FROM ` + counts + ` c) t WHERE n = most`, fires: plan.Panes},
	}},
	{"q6", `SELECT seller, id, avg(final) OVER (PARTITION BY seller ORDER BY expires, id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS avg FROM (SELECT max(b.price) AS final, a.seller, a.id, a.expires FROM auction a, bid b WHERE a.id = b.auction AND b.at BETWEEN a.at AND a.expires GROUP BY a.id, a.seller, a.expires) q`, []spelling{
		{sql: `WITH q AS (SELECT a.id, a.seller, a.expires, max(b.price) AS final FROM auction a JOIN bid b ON a.id = b.auction WHERE b.at >= a.at AND a.expires >= b.at GROUP BY 1, 2, 3) SELECT seller, id, avg(final) OVER w FROM q WINDOW w AS (PARTITION BY seller ORDER BY expires, id ROWS 9 PRECEDING)`, fires: plan.Pairs | plan.JoinExpiry, says: expires},
		{sql: `WITH q AS (SELECT a.seller, a.id, a.expires, b.price AS final FROM auction a JOIN bid b ON a.id = b.auction AND b.at BETWEEN a.at AND a.expires QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC) = 1) SELECT seller, id, avg(final) OVER (PARTITION BY seller ORDER BY expires, id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) FROM q`, fires: plan.Pairs | plan.JoinExpiry | plan.FirstRows, says: expires},
	}},
	{"q7", `SELECT b.auction, b.price, b.bidder, b.at FROM tumble(bid, at, INTERVAL '10 seconds') b JOIN ` + most + ` m ON b.window_start = m.window_start AND b.price = m.most`, []spelling{
		{sql: `SELECT b.auction, b.price, b.bidder, b.at FROM bid b JOIN ` + most + ` m ON b.price = m.most AND b.at >= m.window_start AND b.at < m.window_start + INTERVAL '10 seconds'`, fires: plan.OwnExtremes, says: alone},
		{sql: `SELECT b.auction, b.price, b.bidder, b.at FROM tumble(bid, at, INTERVAL '10 seconds') b JOIN ` + most + ` m ON b.window_start = m.window_start AND b.price = m.most`, fires: plan.OwnExtremes, says: alone},
		{sql: `SELECT auction, price, bidder, at FROM tumble(bid, at, INTERVAL '10 seconds') b JOIN (SELECT window_start, window_end, max(price) AS price FROM tumble(bid, at, INTERVAL '10 seconds') GROUP BY 1, 2) m USING (window_start, window_end, price)`, fires: plan.OwnExtremes, says: alone},
		{sql: `SELECT auction, price, bidder, at FROM tumble(bid, at, INTERVAL '10 seconds') WHERE (window_start, price) IN (SELECT window_start, max(price) FROM tumble(bid, at, INTERVAL '10 seconds') GROUP BY window_start)`, fires: plan.OwnExtremes, says: alone},
		{sql: `SELECT auction, price, bidder, at FROM tumble(bid, at, INTERVAL '10 seconds') b WHERE price = (SELECT max(price) FROM tumble(bid, at, INTERVAL '10 seconds') m WHERE m.window_start = b.window_start)`},
		{sql: `SELECT auction, price, bidder, at FROM tumble(bid, at, INTERVAL '10 seconds') QUALIFY rank() OVER (PARTITION BY window_start ORDER BY price DESC) = 1`, fires: plan.RanksToTop, says: top},
		{sql: `SELECT auction, price, bidder, at FROM (SELECT *, max(price) OVER (PARTITION BY window_start) AS most FROM tumble(bid, at, INTERVAL '10 seconds')) t WHERE price = most`},
	}},
	{"q8", `SELECT DISTINCT p.id, p.name, p.window_start FROM tumble(person, at, INTERVAL '10 seconds') p JOIN tumble(auction, at, INTERVAL '10 seconds') a ON p.id = a.seller AND p.window_start = a.window_start`, []spelling{
		{sql: `SELECT p.id, p.name, p.s FROM (SELECT id, name, window_start AS s FROM tumble(person, at, INTERVAL '10 seconds') GROUP BY id, name, window_start) p JOIN (SELECT seller, window_start AS s FROM tumble(auction, at, INTERVAL '10 seconds') GROUP BY seller, window_start) a ON p.id = a.seller AND p.s = a.s`},
		{sql: `SELECT DISTINCT id, name, window_start FROM tumble(person, at, INTERVAL '10 seconds') WHERE (id, window_start) IN (SELECT seller, window_start FROM tumble(auction, at, INTERVAL '10 seconds'))`},
		{sql: `SELECT DISTINCT id, name, window_start FROM tumble(person, at, INTERVAL '10 seconds') p WHERE EXISTS (SELECT 1 FROM tumble(auction, at, INTERVAL '10 seconds') a WHERE a.seller = p.id AND a.window_start = p.window_start)`},
		{sql: `SELECT DISTINCT p.id, p.name, window_start FROM tumble(person, at, INTERVAL '10 seconds') p JOIN (SELECT seller AS id, window_start FROM tumble(auction, at, INTERVAL '10 seconds')) a USING (id, window_start)`, fires: plan.Pairs},
	}},
	{"q9", `SELECT id, bidder, price FROM (SELECT a.id, b.bidder, b.price, row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.at) AS k FROM auction a JOIN bid b ON a.id = b.auction AND b.at BETWEEN a.at AND a.expires) t WHERE k = 1`, []spelling{
		{sql: `SELECT a.id, b.bidder, b.price FROM auction a JOIN bid b ON a.id = b.auction AND b.at BETWEEN a.at AND a.expires QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.at) = 1`, fires: plan.Pairs | plan.JoinExpiry | plan.RanksToTop | plan.FirstRows, says: expires},
		{sql: `SELECT DISTINCT ON (a.id) a.id, b.bidder, b.price FROM auction a, bid b WHERE a.id = b.auction AND a.at <= b.at AND a.expires >= b.at ORDER BY a.id, b.price DESC, b.at`, fires: plan.Pairs | plan.JoinExpiry | plan.FirstRows, says: expires},
		{sql: `SELECT id, bidder, price FROM (SELECT a.id, b.bidder, b.price, row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.at) AS k FROM auction a, bid b WHERE a.id = b.auction AND b.at BETWEEN a.at AND a.expires) t WHERE k <= 1`, fires: plan.Pairs | plan.JoinExpiry | plan.RanksToTop | plan.FirstRows, says: expires},
	}},
	{"q14", `SELECT id, 0.908 * price, CASE WHEN price < 50 THEN 'low' WHEN price < 150 THEN 'middle' ELSE 'high' END, length(url) - length(replace(url, 'c', '')) FROM bid WHERE price > 10`, []spelling{
		{sql: `SELECT id, price * 0.908, CASE WHEN price >= 150 THEN 'high' WHEN price >= 50 THEN 'middle' ELSE 'low' END, length(url) - length(translate(url, 'c', '')) FROM bid WHERE NOT price <= 10`},
		{sql: `SELECT id, 0.908 * price, (ARRAY['low', 'middle', 'high'])[1 + (price >= 50)::int + (price >= 150)::int], array_length(string_to_array(url, 'c'), 1) - 1 FROM bid WHERE price > 10`},
	}},
	{"q15", `SELECT to_char(at, 'YYYY-MM-DD') AS day, count(*), count(*) FILTER (WHERE price < 50), count(DISTINCT bidder), count(DISTINCT bidder) FILTER (WHERE price >= 150), count(DISTINCT auction) FROM bid GROUP BY 1`, []spelling{
		{sql: `SELECT to_char(at, 'YYYY-MM-DD') AS day, count(*), count(*) FILTER (WHERE price < 50), count(DISTINCT bidder), count(DISTINCT bidder) FILTER (WHERE price >= 150), count(DISTINCT auction) FROM bid GROUP BY day`, fires: plan.SharedDistincts},
		{sql: `SELECT to_char(at, 'YYYY-MM-DD') AS day, count(*), count(CASE WHEN price < 50 THEN 1 END), count(DISTINCT bidder), count(DISTINCT CASE WHEN price >= 150 THEN bidder END), count(DISTINCT auction) FROM bid GROUP BY 1`, fires: plan.SharedDistincts},
		{sql: `SELECT at::date::text, count(*), coalesce(sum(CASE WHEN price < 50 THEN 1 ELSE 0 END), 0), count(DISTINCT bidder), count(DISTINCT CASE WHEN price >= 150 THEN bidder ELSE NULL END), count(DISTINCT auction) FROM bid GROUP BY at::date`, fires: plan.SharedDistincts},
	}},
	{"q16", `SELECT channel, to_char(at, 'YYYY-MM-DD'), count(DISTINCT bidder), count(DISTINCT bidder) FILTER (WHERE price < 50), count(DISTINCT bidder) FILTER (WHERE price >= 150), count(DISTINCT auction) FROM bid GROUP BY 1, 2`, []spelling{
		{sql: `SELECT channel, to_char(at, 'YYYY-MM-DD') AS day, count(DISTINCT bidder), count(DISTINCT bidder) FILTER (WHERE price < 50), count(DISTINCT bidder) FILTER (WHERE price >= 150), count(DISTINCT auction) FROM bid GROUP BY channel, day`, fires: plan.SharedDistincts},
		{sql: `SELECT channel, day, count(DISTINCT bidder), count(DISTINCT CASE WHEN price < 50 THEN bidder END), count(DISTINCT CASE WHEN price < 150 THEN NULL ELSE bidder END), count(DISTINCT auction) FROM (SELECT *, to_char(at, 'YYYY-MM-DD') AS day FROM bid) b GROUP BY channel, day`, fires: plan.SharedDistincts},
	}},
	{"q17", `SELECT auction, to_char(at, 'YYYY-MM-DD'), count(*), count(*) FILTER (WHERE price < 100), min(price), max(price), avg(price), sum(price) FROM bid GROUP BY 1, 2`, []spelling{
		{sql: `SELECT auction, to_char(at, 'YYYY-MM-DD') AS day, count(*), sum((price < 100)::int), min(price), max(price), sum(price)::numeric / count(price), sum(price) FROM bid GROUP BY ALL`},
		{sql: `SELECT auction, day, count(*), count(CASE WHEN price < 100 THEN price END), min(price), max(price), avg(price), sum(price) FROM (SELECT auction, price, to_char(at, 'YYYY-MM-DD') AS day FROM bid) b GROUP BY auction, day`},
	}},
	{"q18", `SELECT bidder, auction, id FROM (SELECT *, row_number() OVER (PARTITION BY bidder, auction ORDER BY at DESC) AS k FROM bid) t WHERE k = 1`, []spelling{
		{sql: `SELECT bidder, auction, id FROM bid QUALIFY row_number() OVER (PARTITION BY bidder, auction ORDER BY at DESC) = 1`, fires: plan.RanksToTop | plan.FirstRows},
		{sql: `SELECT DISTINCT ON (bidder, auction) bidder, auction, id FROM bid ORDER BY bidder, auction, at DESC`, fires: plan.FirstRows},
		{sql: `SELECT bidder, auction, id FROM (SELECT *, rank() OVER (PARTITION BY bidder, auction ORDER BY at DESC) AS k FROM bid) t WHERE 2 > k`, fires: plan.RanksToTop, says: top},
		{sql: `SELECT b.bidder, b.auction, b.id FROM bid b JOIN (SELECT bidder, auction, max(at) AS at FROM bid GROUP BY bidder, auction) m USING (bidder, auction, at)`},
	}},
	{"q19", `SELECT auction, id, k FROM (SELECT auction, id, row_number() OVER (PARTITION BY auction ORDER BY price DESC, id) AS k FROM bid) t WHERE k <= 10`, []spelling{
		{sql: `SELECT auction, id, rank() OVER (PARTITION BY auction ORDER BY price DESC, id) AS k FROM bid QUALIFY k <= 10`, fires: plan.RanksToTop, says: top},
		{sql: `SELECT auction, id, k FROM (SELECT auction, id, row_number() OVER (PARTITION BY auction ORDER BY price DESC, id) AS k FROM bid) t WHERE NOT k > 10`, says: top, fires: plan.RanksToTop},
		{sql: `WITH t AS (SELECT auction, id, row_number() OVER w AS k FROM bid WINDOW w AS (PARTITION BY auction ORDER BY price DESC, id)) SELECT * FROM t WHERE k BETWEEN 1 AND 10`, fires: plan.RanksToTop, says: top},
	}},
	{"q20", `SELECT b.id, a.item FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10`, []spelling{
		{sql: `SELECT b.id, a.item FROM bid b, auction a WHERE b.auction = a.id AND a.category = 10`, fires: plan.PushConditions | plan.Pairs},
		{sql: `SELECT b.id, item FROM bid b CROSS JOIN LATERAL (SELECT item FROM auction a WHERE a.id = b.auction AND category = 10) x`, fires: plan.Pairs},
		{sql: `SELECT id, item FROM bid JOIN (SELECT id AS auction, item FROM auction WHERE category = 10) a USING (auction)`, fires: plan.Pairs},
	}},
	{"q21", `SELECT id, CASE WHEN channel = 'apple' THEN '0' ELSE (regexp_match(url, 'channel_id=([^&]*)'))[1] END FROM bid WHERE channel <> 'baidu'`, []spelling{
		{sql: `SELECT id, CASE WHEN lower(channel) = 'apple' THEN '0' ELSE substring(url from 'channel_id=([^&]*)') END FROM bid WHERE channel NOT IN ('baidu')`},
		{sql: `SELECT id, CASE channel WHEN 'apple' THEN '0' ELSE split_part(split_part(url, 'channel_id=', 2), '&', 1) END FROM bid WHERE NOT channel = 'baidu'`},
	}},
	{"q22", `SELECT id, split_part(url, '/', 4), split_part(url, '/', 5) FROM bid`, []spelling{
		{sql: `SELECT id, (string_to_array(url, '/'))[4], (string_to_array(url, '/'))[5] FROM bid`},
		{sql: `SELECT id, (regexp_match(url, '^[^/]*//[^/]*/([^/]*)/'))[1], (regexp_match(url, '^[^/]*//[^/]*/[^/]*/([^/]*)'))[1] FROM bid`},
	}},
	{"q23", `SELECT b.id, a.item, p.name FROM bid b JOIN person p ON b.bidder = p.id JOIN auction a ON b.auction = a.id WHERE b.price > 190`, []spelling{
		{sql: `SELECT b.id, a.item, p.name FROM auction a, bid b, person p WHERE p.id = b.bidder AND a.id = b.auction AND b.price > 190`, fires: plan.PushConditions | plan.Pairs},
		{sql: `SELECT b.id, item, name FROM (SELECT * FROM bid WHERE price > 190) b JOIN (SELECT id AS bidder, name FROM person) p USING (bidder) JOIN (SELECT id AS auction, item FROM auction) a USING (auction)`, fires: plan.Pairs},
	}},
}
