-- Which campaign brought the customer?
-- First touch: each person with the campaign of their first event that had one, and what they spent since.
CREATE MATERIALIZED VIEW first_touch AS
WITH touches AS (
  SELECT user_key, min(ts) AS first_seen
  FROM events
  WHERE context->'campaign'->>'name' IS NOT NULL
  GROUP BY user_key
), first AS (
  SELECT t.user_key, t.first_seen, min(e.context->'campaign'->>'name') AS campaign
  FROM touches AS t
  JOIN events AS e ON e.user_key = t.user_key AND e.ts = t.first_seen
  WHERE e.context->'campaign'->>'name' IS NOT NULL
  GROUP BY t.user_key, t.first_seen
)
SELECT first.campaign, count(DISTINCT o.user_key) AS buyers, sum(o.total) AS revenue
FROM order_completed AS o
JOIN first ON first.user_key = o.user_key
GROUP BY first.campaign;
