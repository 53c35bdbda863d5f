-- Do new customers come back?
-- Cohorts: customers by the day of their first order, and how many of them ordered again.
CREATE MATERIALIZED VIEW cohorts AS
SELECT date_trunc('day', first_order) AS cohort, count(*) AS customers,
       count(*) FILTER (WHERE orders > 1) AS came_back, sum(spent) AS revenue
FROM (
  SELECT user_key, min(ts) AS first_order, count(*) AS orders, sum(total) AS spent
  FROM order_completed
  GROUP BY user_key
) AS customers
GROUP BY date_trunc('day', first_order);
