-- How busy is it right now?
-- Events and people for each minute, by what they did.
CREATE MATERIALIZED VIEW busy AS
SELECT window_start, event, count(*) AS events, count(DISTINCT user_key) AS people
FROM tumble(events, ts, INTERVAL '1 minute')
GROUP BY window_start, event;
