-- Revenue of each campaign, minute by minute, as it happens.
CREATE MATERIALIZED VIEW campaign_revenue AS
SELECT window_start,
       coalesce(context->'campaign'->>'name', 'direct') AS campaign,
       count(*) AS orders,
       sum(total) AS revenue,
       avg(total) AS average_order
FROM tumble(order_completed, ts, INTERVAL '1 minute')
GROUP BY window_start, campaign;

-- Carts that were filled and left: 30 minutes of silence and no order.
CREATE MATERIALIZED VIEW abandoned_carts AS
SELECT user_key, window_start, window_end AS left_at,
       count(*) FILTER (WHERE event = 'Product Added') AS items
FROM session(events PARTITION BY user_key, ts, INTERVAL '30 minutes')
GROUP BY user_key, window_start, window_end
HAVING count(*) FILTER (WHERE event = 'Product Added') > 0
   AND count(*) FILTER (WHERE event = 'Order Completed') = 0
EMIT ON WINDOW CLOSE;

-- People who are about to buy, with what the CRM knows of them.
CREATE MATERIALIZED VIEW high_intent_users AS
SELECT e.user_key, window_start, crm.segment, crm.country,
       count(*) FILTER (WHERE event = 'Product Viewed') AS products_viewed,
       count(*) FILTER (WHERE event = 'Product Added') AS products_added,
       max(ts) AS last_seen
FROM tumble(events, ts, INTERVAL '15 minutes') AS e
LEFT JOIN crm ON crm.user_id = e.user_key
GROUP BY e.user_key, window_start, crm.segment, crm.country
HAVING count(*) FILTER (WHERE event = 'Product Viewed') >= 3
   AND count(*) FILTER (WHERE event = 'Product Added') >= 1;

-- Somebody tries stolen cards: many different cards refused from one address within a minute.
CREATE MATERIALIZED VIEW card_testing AS
SELECT window_start, context->>'ip' AS ip,
       count(*) AS attempts,
       count(DISTINCT card_hash) AS cards,
       sum(amount) AS amount
FROM tumble(payment_failed, ts, INTERVAL '1 minute')
GROUP BY window_start, ip
HAVING count(DISTINCT card_hash) >= 5;

-- Events a minute by source: the pulse of the shop.
CREATE MATERIALIZED VIEW pulse AS
SELECT window_start, source, count(*) AS events, count(DISTINCT user_key) AS people
FROM tumble(events, ts, INTERVAL '1 minute')
GROUP BY window_start, source;
