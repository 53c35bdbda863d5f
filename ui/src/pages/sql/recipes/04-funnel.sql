-- Where do buyers drop out?
-- How many people reach each step of the shop in an hour, from looking to paying.
CREATE MATERIALIZED VIEW funnel AS
SELECT window_start,
       count(DISTINCT user_key) FILTER (WHERE event = 'Product Viewed') AS looked,
       count(DISTINCT user_key) FILTER (WHERE event = 'Product Added') AS put_in_cart,
       count(DISTINCT user_key) FILTER (WHERE event = 'Checkout Started') AS checked_out,
       count(DISTINCT user_key) FILTER (WHERE event = 'Order Completed') AS bought
FROM tumble(events, ts, INTERVAL '1 hour')
GROUP BY window_start;
