-- Which campaign closed the sale?
-- Last touch: revenue by the campaign that came with the order itself.
CREATE MATERIALIZED VIEW last_touch AS
SELECT window_start, coalesce(context->'campaign'->>'name', 'direct') AS campaign,
       count(*) AS orders, sum(total) AS revenue
FROM tumble(order_completed, ts, INTERVAL '1 hour')
GROUP BY window_start, campaign;
