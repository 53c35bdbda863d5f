-- What sells best?
-- Products in orders of each hour with pieces and money.
CREATE MATERIALIZED VIEW best_sellers AS
SELECT window_start, p->>'product_id' AS product, count(*) AS times_ordered,
       sum((p->>'quantity')::numeric) AS pieces
FROM tumble(order_completed, ts, INTERVAL '1 hour') AS o
CROSS JOIN jsonb_array_elements(o.properties->'products') AS p
GROUP BY window_start, p->>'product_id';
