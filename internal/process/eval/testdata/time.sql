DATE '2024-02-29'
'2024-02-30'::date
'20240229'::date
'Feb 29, 2024'::date
'29 Feb 2024'::date
'2/29/2024'::date
'2024-02-29 10:00'::date
'0044-03-15 BC'::date
'infinity'::timestamp
'epoch'::timestamp
TIMESTAMP '2024-02-29 12:34:56.789'
TIMESTAMP '2024-02-29T12:34:56Z'
TIMESTAMP '2024-02-29 12:34:56+02'
TIMESTAMPTZ '2024-02-29 12:34:56+02'
TIMESTAMPTZ '2024-02-29 12:34:56.123456789Z'
TIMESTAMPTZ '2024-02-29 12:34:56 Europe/Rome'
TIMESTAMPTZ '2024-02-29 12:34:56 EST'
TIMESTAMPTZ '2024-02-29T12:34:56.789-05:30'
'2024-13-01'::timestamp
'2024-02-29 25:00'::timestamp
'2024-02-29 24:00:00'::timestamp
'2024-02-29 10:00 PM'::timestamp
'yesterdayish'::timestamp
TIME '10:30'
TIME '23:59:59.5'
'04:05 PM'::time
'24:00'::time
'25:00'::time
DATE '2024-01-31' + 1
DATE '2024-01-31' - 1
DATE '2024-03-01' - DATE '2024-02-01'
DATE '2024-01-31' + INTERVAL '1 month'
DATE '2024-01-31' + TIME '10:00'
TIMESTAMP '2024-01-31 10:00' + INTERVAL '1 month'
TIMESTAMP '2024-03-31 10:00' - INTERVAL '1 month'
TIMESTAMP '2024-02-29' + INTERVAL '1 year'
TIMESTAMP '2024-02-29' - TIMESTAMP '2023-02-28 01:00'
TIMESTAMP '2023-02-28 01:00' - TIMESTAMP '2024-02-29'
TIMESTAMPTZ '2024-02-29 00:00+00' + INTERVAL '1 day 2 hours'
INTERVAL '1 day' + DATE '2024-01-01'
TIME '10:00' + INTERVAL '15 hours'
TIME '10:00' - TIME '08:30'
TIME '10:00' - INTERVAL '11 hours'
INTERVAL '1 day' + INTERVAL '2 hours'
INTERVAL '1 day' - INTERVAL '2 hours'
- INTERVAL '1 day 2 hours'
INTERVAL '1 day' * 2.5
2 * INTERVAL '1 hour 30 minutes'
INTERVAL '1 month' * 1.5
INTERVAL '1 month' / 4
INTERVAL '1 hour' / 0
INTERVAL '1 year 2 months 3 days 04:05:06.789'
INTERVAL '-1 day'
INTERVAL '1 day -2 hours'
INTERVAL '-1 year +2 days'
INTERVAL '1.5 days'
INTERVAL '1.5 months'
INTERVAL '1.5 years'
INTERVAL '2 weeks'
INTERVAL '1 decade'
INTERVAL '90 minutes'
INTERVAL '100 hours'
INTERVAL '1-2'
INTERVAL '1 2:03'
INTERVAL '3 4:05:06'
INTERVAL '1' DAY
INTERVAL '90' MINUTE
INTERVAL '1:30' HOUR TO MINUTE
INTERVAL '10:30' MINUTE TO SECOND
INTERVAL 'P1Y2M3DT4H5M6S'
INTERVAL 'PT36H'
INTERVAL '1 day ago'
INTERVAL '500 ms'
INTERVAL '1 us'
INTERVAL '0'
INTERVAL '10'
INTERVAL 'one day'
INTERVAL '1 fortnight'
INTERVAL '30 days' = INTERVAL '1 month'
INTERVAL '24 hours' = INTERVAL '1 day'
INTERVAL '25 hours' > INTERVAL '1 day'
extract(year from DATE '2024-02-29')
extract(month from TIMESTAMP '2024-02-29 12:34:56.789')
extract(second from TIMESTAMP '2024-02-29 12:34:56.789')
extract(milliseconds from TIMESTAMP '2024-02-29 12:34:56.789')
extract(microseconds from TIMESTAMP '2024-02-29 12:34:56.789')
extract(epoch from TIMESTAMP '2024-02-29 12:34:56.789')
extract(epoch from DATE '2024-02-29')
extract(epoch from INTERVAL '1 year 2 days 03:00')
extract(epoch from TIMESTAMPTZ '2024-02-29 12:34:56.789+02')
extract(dow from DATE '2024-02-25')
extract(isodow from DATE '2024-02-25')
extract(doy from DATE '2024-12-31')
extract(week from DATE '2021-01-01')
extract(isoyear from DATE '2021-01-01')
extract(week from DATE '2024-12-30')
extract(quarter from DATE '2024-12-30')
extract(century from DATE '2000-12-31')
extract(century from DATE '2001-01-01')
extract(decade from DATE '1999-01-01')
extract(millennium from DATE '2001-01-01')
extract(julian from DATE '2024-02-29')
extract(hour from INTERVAL '30 hours 5 minutes')
extract(day from INTERVAL '3 days 30 hours')
extract(month from INTERVAL '14 months')
extract(hour from TIME '10:30')
extract(epoch from TIME '10:30')
extract(timezone from TIMESTAMPTZ '2024-02-29 12:34:56+02')
extract(fortnight from DATE '2024-01-01')
extract(hour from DATE '2024-01-01')
date_part('hour', TIMESTAMP '2024-02-29 12:34:56')
date_part('epoch', TIMESTAMP '2024-02-29 12:34:56.5')
date_trunc('hour', TIMESTAMP '2024-02-29 12:34:56.789')
date_trunc('day', TIMESTAMPTZ '2024-02-29 12:34:56+00')
date_trunc('week', DATE '2024-02-29')
date_trunc('month', TIMESTAMP '2024-02-29 12:34:56')
date_trunc('quarter', TIMESTAMP '2024-08-29 12:34:56')
date_trunc('year', TIMESTAMP '2024-08-29 12:34:56')
date_trunc('decade', TIMESTAMP '2024-08-29')
date_trunc('century', TIMESTAMP '2024-08-29')
date_trunc('millennium', TIMESTAMP '2024-08-29')
date_trunc('milliseconds', TIMESTAMP '2024-02-29 12:34:56.789123')
date_trunc('day', TIMESTAMPTZ '2024-02-29 23:34:56+00', 'Europe/Rome')
date_trunc('fortnight', TIMESTAMP '2024-08-29')
date_trunc('hour', INTERVAL '3 days 02:47:33')
date_trunc('month', INTERVAL '3 months 2 days')
date_bin('15 minutes', TIMESTAMP '2020-02-11 15:44:17', TIMESTAMP '2001-01-01')
date_bin('15 minutes', TIMESTAMP '1999-02-11 15:44:17', TIMESTAMP '2001-01-01')
date_bin('1 month', TIMESTAMP '2020-02-11 15:44:17', TIMESTAMP '2001-01-01')
to_timestamp(1284352323)
to_timestamp(1284352323.5)
make_date(2013, 7, 15)
make_date(2013, 13, 15)
make_timestamp(2013, 7, 15, 8, 15, 23.5)
make_interval(1, 2, 3, 4, 5, 6, 7.5)
age(TIMESTAMP '2001-04-10', TIMESTAMP '1957-06-13')
age(TIMESTAMP '1957-06-13', TIMESTAMP '2001-04-10')
age(TIMESTAMP '2024-03-31', TIMESTAMP '2024-02-29')
age(TIMESTAMP '2024-02-29 01:00', TIMESTAMP '2024-01-31 02:00')
justify_hours(INTERVAL '27 hours')
justify_days(INTERVAL '35 days')
justify_interval(INTERVAL '1 mon -1 hour')
isfinite(DATE '2024-02-29')
isfinite('infinity'::timestamp)
TIMESTAMP '2001-02-16 20:38:40' AT TIME ZONE 'America/Denver'
TIMESTAMPTZ '2001-02-16 20:38:40-05' AT TIME ZONE 'America/Denver'
TIMESTAMPTZ '2024-07-01 12:00+00' AT TIME ZONE 'Europe/Rome'
TIMESTAMP '2024-03-31 02:30' AT TIME ZONE 'Europe/Rome'
TIMESTAMP '2024-10-27 02:30' AT TIME ZONE 'Europe/Rome'
TIMESTAMP '2024-03-31 03:30' AT TIME ZONE 'Europe/Rome'
TIMESTAMP '2024-01-01' AT TIME ZONE 'UTC'
TIMESTAMP '2024-01-01' AT TIME ZONE '+02'
TIMESTAMP '2024-01-01' AT TIME ZONE 'nowhere'
DATE '2024-01-01' < TIMESTAMP '2024-01-01 00:00:01'
DATE '2024-01-01' = TIMESTAMPTZ '2024-01-01 00:00+00'
TIMESTAMP '2024-01-01' > '2023-12-31'
'2024-01-01'::timestamp::date
'2024-01-01 10:20'::timestamp::time
'2024-01-01 10:20+00'::timestamptz::timestamp
'2024-01-01 10:20+00'::timestamptz::date
'2024-01-01'::date::timestamptz
TIME '10:00'::interval
INTERVAL '1 day 2 hours'::time
'2024-01-01'::date::text
to_char(TIMESTAMP '2024-02-29 17:31:12.345', 'YYYY-MM-DD HH24:MI:SS.MS')
to_char(TIMESTAMP '2024-02-29 17:31:12', 'HH12:MI:SS AM')
to_char(TIMESTAMP '2024-02-29 17:31:12', 'Day, DD Month YYYY')
to_char(TIMESTAMP '2024-02-29 17:31:12', 'FMDay, FMDD FMMonth YYYY')
to_char(TIMESTAMP '2024-02-29 17:31:12', 'Dy Mon D DDD Q IW IYYY J CC')
to_char(TIMESTAMP '2024-02-03', 'FMDDth "of" FMMonth')
to_char(DATE '2024-02-29', 'YY/MM')
to_date('05 Dec 2000', 'DD Mon YYYY')
to_date('2024-02-30', 'YYYY-MM-DD')
to_timestamp('2024-02-29 10:11:12', 'YYYY-MM-DD HH24:MI:SS')
to_timestamp('05 Dec 2000 03:04 PM', 'DD Mon YYYY HH12:MI PM')
select t, t + INTERVAL '1 month', date_trunc('month', t) FROM (VALUES (TIMESTAMP '2024-01-31'), (NULL), (TIMESTAMP '1969-12-31 23:59:59.999999')) v(t)
