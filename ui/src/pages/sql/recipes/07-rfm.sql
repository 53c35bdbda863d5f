-- Who are the best customers?
-- Recency, frequency, money: one row for each customer, always up to date.
CREATE MATERIALIZED VIEW rfm AS
SELECT user_key, max(ts) AS last_order, count(*) AS orders, sum(total) AS spent,
       CASE WHEN count(*) >= 5 AND sum(total) >= 500 THEN 'champion'
            WHEN count(*) >= 2 THEN 'loyal'
            ELSE 'new' END AS segment
FROM order_completed
GROUP BY user_key;
