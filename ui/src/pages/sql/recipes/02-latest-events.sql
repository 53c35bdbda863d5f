-- What happened last?
-- The latest twenty events, once: good for a first look at what is in them.
SELECT ts, event, user_key, source, properties
FROM events
ORDER BY ts DESC
LIMIT 20;
