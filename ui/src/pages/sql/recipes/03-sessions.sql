-- Visits: how long and how deep?
-- One row for each visit. A visit ends after half an hour of silence.
CREATE MATERIALIZED VIEW visits AS
SELECT user_key, window_start AS began, window_end AS ended,
       count(*) AS events,
       count(*) FILTER (WHERE event = 'Product Viewed') AS products_viewed,
       count(*) FILTER (WHERE event = 'Order Completed') AS orders
FROM session(events PARTITION BY user_key, ts, INTERVAL '30 minutes')
GROUP BY user_key, window_start, window_end;
