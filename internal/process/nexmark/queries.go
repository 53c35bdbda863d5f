package nexmark

// Sources declares the stream's events, which share the topic nexmark, as three relations.
const Sources = `
CREATE SOURCE persons (event_type BIGINT, id BIGINT FROM 'person.id', name TEXT FROM 'person.name', email TEXT FROM 'person.emailAddress',
	card TEXT FROM 'person.creditCard', city TEXT FROM 'person.city', state TEXT FROM 'person.state', at TIMESTAMP FROM 'person.dateTime',
	extra TEXT FROM 'person.extra', WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'nexmark');
CREATE SOURCE auctions (event_type BIGINT, id BIGINT FROM 'auction.id', item TEXT FROM 'auction.itemName', description TEXT FROM 'auction.description',
	initial BIGINT FROM 'auction.initialBid', reserve BIGINT FROM 'auction.reserve', at TIMESTAMP FROM 'auction.dateTime',
	expires TIMESTAMP FROM 'auction.expires', seller BIGINT FROM 'auction.seller', category BIGINT FROM 'auction.category',
	extra TEXT FROM 'auction.extra', WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'nexmark');
CREATE SOURCE bids (event_type BIGINT, auction BIGINT FROM 'bid.auction', bidder BIGINT FROM 'bid.bidder', price BIGINT FROM 'bid.price',
	channel TEXT FROM 'bid.channel', url TEXT FROM 'bid.url', at TIMESTAMP FROM 'bid.dateTime', extra TEXT FROM 'bid.extra',
	WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'nexmark');
CREATE VIEW person AS SELECT id, name, email, card, city, state, at, extra FROM persons WHERE event_type = 0;
CREATE VIEW auction AS SELECT id, item, description, initial, reserve, at, expires, seller, category, extra FROM auctions WHERE event_type = 1;
CREATE VIEW bid AS SELECT auction, bidder, price, channel, url, at, extra FROM bids WHERE event_type = 2`

// Query is one of the benchmark's queries over Sources.
type Query struct{ Name, SQL string }

// statistics of q15 and q16.
const bidCounts = `count(*) AS total_bids,
	count(*) FILTER (WHERE price < 10000) AS rank1_bids,
	count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
	count(*) FILTER (WHERE price >= 1000000) AS rank3_bids,
	count(DISTINCT bidder) AS total_bidders,
	count(DISTINCT bidder) FILTER (WHERE price < 10000) AS rank1_bidders,
	count(DISTINCT bidder) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bidders,
	count(DISTINCT bidder) FILTER (WHERE price >= 1000000) AS rank3_bidders,
	count(DISTINCT auction) AS total_auctions,
	count(DISTINCT auction) FILTER (WHERE price < 10000) AS rank1_auctions,
	count(DISTINCT auction) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_auctions,
	count(DISTINCT auction) FILTER (WHERE price >= 1000000) AS rank3_auctions`

// Queries are those of https://github.com/nexmark/nexmark that need nothing but the stream, as they are written there where the
// dialect allows it; q5-closed asks q5 another way, and waits until windows are complete. Not among them are q6, which does not run there, q10, which writes files, and q13, which reads one.
var Queries = []Query{
	{"q0", `SELECT auction, bidder, price, at, extra FROM bid`},
	{"q1", `SELECT auction, bidder, 0.908 * price AS price, at, extra FROM bid`},
	{"q2", `SELECT auction, price FROM bid WHERE auction % 123 = 0`},
	{"q3", `SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id
		WHERE a.category = 10 AND (p.state = 'OR' OR p.state = 'ID' OR p.state = 'CA')`},
	{"q4", `SELECT category, avg(final) AS avg FROM (SELECT max(b.price) AS final, a.category FROM auction a, bid b
		WHERE a.id = b.auction AND b.at BETWEEN a.at AND a.expires GROUP BY a.id, a.category) q GROUP BY category`},
	{"q5", `SELECT a.auction, a.num FROM
		(SELECT auction, count(*) AS num, window_start AS s, window_end AS e FROM hop(bid, at, INTERVAL '2 seconds', INTERVAL '10 seconds')
			GROUP BY auction, window_start, window_end) a
		JOIN (SELECT max(num) AS maxn, s, e FROM (SELECT count(*) AS num, window_start AS s, window_end AS e
			FROM hop(bid, at, INTERVAL '2 seconds', INTERVAL '10 seconds') GROUP BY auction, window_start, window_end) c GROUP BY s, e) m
		ON a.s = m.s AND a.e = m.e AND a.num >= m.maxn`},
	{"q5-closed", `SELECT auction, num FROM
		(SELECT auction, count(*) AS num, window_start AS s, window_end AS e FROM hop(bid, at, INTERVAL '2 seconds', INTERVAL '10 seconds')
			GROUP BY auction, window_start, window_end) t
		QUALIFY rank() OVER (PARTITION BY s, e ORDER BY num DESC) = 1 EMIT ON WINDOW CLOSE`},
	{"q7", `SELECT b.auction, b.price, b.bidder, b.at, b.extra FROM bid b
		JOIN (SELECT max(price) AS maxprice, window_end AS at FROM tumble(bid, at, INTERVAL '10 seconds') GROUP BY window_start, window_end) m
		ON b.price = m.maxprice WHERE b.at BETWEEN m.at - INTERVAL '10 seconds' AND m.at`},
	{"q8", `SELECT p.id, p.name, p.s FROM
		(SELECT id, name, window_start AS s, window_end AS e FROM tumble(person, at, INTERVAL '10 seconds') GROUP BY id, name, window_start, window_end) p
		JOIN (SELECT seller, window_start AS s, window_end AS e FROM tumble(auction, at, INTERVAL '10 seconds') GROUP BY seller, window_start, window_end) a
		ON p.id = a.seller AND p.s = a.s AND p.e = a.e`},
	{"q9", `SELECT id, item, description, initial, reserve, at, expires, seller, category, extra, auction, bidder, price, bid_at, bid_extra FROM
		(SELECT a.*, b.auction, b.bidder, b.price, b.at AS bid_at, b.extra AS bid_extra,
			row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.at ASC) AS rownum
		FROM auction a, bid b WHERE a.id = b.auction AND b.at BETWEEN a.at AND a.expires) t WHERE rownum <= 1`},
	{"q11", `SELECT bidder, count(*) AS bid_count, window_start AS starttime, window_end AS endtime
		FROM session(bid PARTITION BY bidder, at, INTERVAL '10 seconds') GROUP BY bidder, window_start, window_end`},
	{"q12", `SELECT bidder, count(*) AS bid_count, window_start AS starttime, window_end AS endtime
		FROM tumble(bid, at, INTERVAL '10 seconds') GROUP BY bidder, window_start, window_end`},
	{"q14", `SELECT auction, bidder, 0.908 * price AS price,
		CASE WHEN extract(hour FROM at) >= 8 AND extract(hour FROM at) <= 18 THEN 'dayTime'
			WHEN extract(hour FROM at) <= 6 OR extract(hour FROM at) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bid_time,
		at, extra, length(extra) - length(replace(extra, 'c', '')) AS c_counts FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000`},
	{"q15", `SELECT to_char(at, 'YYYY-MM-DD') AS day, ` + bidCounts + ` FROM bid GROUP BY to_char(at, 'YYYY-MM-DD')`},
	{"q16", `SELECT channel, to_char(at, 'YYYY-MM-DD') AS day, max(to_char(at, 'HH24:MI')) AS minute, ` + bidCounts + `
		FROM bid GROUP BY channel, to_char(at, 'YYYY-MM-DD')`},
	{"q17", `SELECT auction, to_char(at, 'YYYY-MM-DD') AS day, count(*) AS total_bids,
		count(*) FILTER (WHERE price < 10000) AS rank1_bids,
		count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
		count(*) FILTER (WHERE price >= 1000000) AS rank3_bids,
		min(price) AS min_price, max(price) AS max_price, avg(price) AS avg_price, sum(price) AS sum_price
		FROM bid GROUP BY auction, to_char(at, 'YYYY-MM-DD')`},
	{"q18", `SELECT auction, bidder, price, channel, url, at, extra FROM (SELECT *, row_number() OVER (PARTITION BY bidder, auction ORDER BY at DESC) AS rank_number
		FROM bid) t WHERE rank_number <= 1`},
	{"q19", `SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS rank_number FROM bid) t WHERE rank_number <= 10`},
	{"q20", `SELECT b.auction, bidder, price, channel, url, b.at, b.extra, item, description, initial, reserve, a.at AS a_at, expires, seller, category, a.extra AS a_extra
		FROM bid b INNER JOIN auction a ON b.auction = a.id WHERE a.category = 10`},
	{"q21", `SELECT auction, bidder, price, channel,
		CASE WHEN lower(channel) = 'apple' THEN '0' WHEN lower(channel) = 'google' THEN '1' WHEN lower(channel) = 'facebook' THEN '2'
			WHEN lower(channel) = 'baidu' THEN '3' ELSE (regexp_match(url, '(&|^)channel_id=([^&]*)'))[2] END AS channel_id
		FROM bid WHERE (regexp_match(url, '(&|^)channel_id=([^&]*)'))[2] IS NOT NULL OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')`},
	{"q22", `SELECT auction, bidder, price, channel, split_part(url, '/', 4) AS dir1, split_part(url, '/', 5) AS dir2, split_part(url, '/', 6) AS dir3 FROM bid`},
}
