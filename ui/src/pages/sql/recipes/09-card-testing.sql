-- Is somebody trying stolen cards?
-- Many different cards refused from one address within ten minutes.
CREATE MATERIALIZED VIEW card_velocity AS
SELECT window_start, context->>'ip' AS ip, count(*) AS attempts, count(DISTINCT card_hash) AS cards
FROM hop(payment_failed, ts, INTERVAL '1 minute', INTERVAL '10 minutes')
GROUP BY window_start, ip
HAVING count(DISTINCT card_hash) >= 5;
