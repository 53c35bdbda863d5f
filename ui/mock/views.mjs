// Live views over the made-up shop, kept as maps from key to row, each change pushed to its subscribers.
import { campaigns, pick, random } from './events.mjs';
import { listeners } from './shop.mjs';

let step = 1000;
const iso = (ms) => new Date(ms).toISOString();
const minute = (ms) => Math.floor(ms / 60_000) * 60_000;
const money = (v) => v.toFixed(2);

function view(name, description, emit, columns, key, sql, kind = 'view') {
  return {
    info: { name, kind, sql, columns: columns.map(([n, type]) => ({ name: n, type })), key, emit, description, errors: 0, late: 0, paused: false },
    rows: new Map(),
    subscribers: new Set(),
    changed: new Map(),
    gone: new Set(),
    updatedAt: Date.now(),
    put(...row) {
      const k = JSON.stringify(key.map((n) => row[columns.findIndex(([c]) => c === n)]));
      this.rows.set(k, row);
      this.changed.set(k, row);
      this.gone.delete(k);
      this.updatedAt = Date.now();
    },
    drop(k) {
      this.rows.delete(k);
      this.changed.delete(k);
      this.gone.add(k);
    },
    publish() {
      if (this.changed.size + this.gone.size === 0) return;
      const change = { step: ++step, upserts: [...this.changed.values()], deletes: [...this.gone].map((k) => JSON.parse(k)) };
      this.changed.clear();
      this.gone.clear();
      for (const f of this.subscribers) f(change);
    },
    snapshot(limit, order = '') {
      const by = columns.findIndex(([n]) => n === order);
      const rows = [...this.rows.values()];
      if (by >= 0) rows.sort((a, b) => (isNaN(a[by]) ? (a[by] < b[by] ? 1 : -1) : b[by] - a[by]));
      return { name, columns: this.info.columns, rows: rows.slice(0, limit), step, total: this.rows.size };
    },
  };
}

const revenue = view(
  'revenue_per_minute',
  'Orders and revenue per minute and campaign.',
  'changes',
  [['window_start', 'timestamptz'], ['campaign', 'text'], ['orders', 'bigint'], ['revenue', 'numeric']],
  ['window_start', 'campaign'],
  `CREATE MATERIALIZED VIEW revenue_per_minute AS
SELECT window_start, context->'campaign'->>'name' AS campaign,
       count(*) AS orders, sum(total) AS revenue
FROM tumble(order_completed, ts, INTERVAL '1 minute')
GROUP BY window_start, campaign;`,
);
const carts = view(
  'abandoned_carts',
  'People who put something in the cart and left without ordering, 30 minutes after their last click.',
  'window close',
  [['user_key', 'text'], ['window_start', 'timestamptz'], ['left_at', 'timestamptz'], ['items', 'bigint']],
  ['user_key', 'window_start', 'left_at'],
  `CREATE MATERIALIZED VIEW abandoned_carts AS
SELECT user_key, window_start, window_end AS left_at,
       count(*) FILTER (WHERE event = 'Product Added') AS items
FROM session(events PARTITION BY user_key, ts, INTERVAL '30 minutes')
GROUP BY user_key, window_start, window_end
HAVING count(*) FILTER (WHERE event = 'Product Added') > 0
   AND count(*) FILTER (WHERE event = 'Order Completed') = 0
EMIT ON WINDOW CLOSE;`,
);
const intent = view(
  'high_intent_users',
  'Who is close to buying right now, by what they looked at in the last 15 minutes.',
  'changes',
  [['user_key', 'text'], ['segment', 'text'], ['score', 'double precision'], ['last_seen', 'timestamptz']],
  ['user_key'],
  `-- a product view counts 1, a cart 3, a started checkout 5
CREATE MATERIALIZED VIEW high_intent_users AS
SELECT e.user_key, c.segment,
       sum(CASE event WHEN 'Product Viewed' THEN 1
                      WHEN 'Product Added' THEN 3 ELSE 5 END) AS score,
       max(ts) AS last_seen
FROM hop(events, ts, INTERVAL '1 minute', INTERVAL '15 minutes') AS e
LEFT JOIN crm AS c ON c.user_id = e.user_key
GROUP BY e.user_key, c.segment
HAVING count(*) > 4;`,
);
const fraud = view(
  'card_testing',
  'Many failed payments with the same card range in a short time.',
  'changes',
  [['window_start', 'timestamptz'], ['card_bin', 'text'], ['failures', 'bigint'], ['users', 'bigint']],
  ['window_start', 'card_bin'],
  `CREATE MATERIALIZED VIEW card_testing AS
SELECT window_start, card_bin, count(*) AS failures, count(DISTINCT user_key) AS users
FROM tumble(payment_failed, ts, INTERVAL '1 minute')
GROUP BY window_start, card_bin
HAVING count(*) > 3;`,
);
const crm = view(
  'crm',
  'Customers from the CRM: segment and lifetime value.',
  '',
  [['user_id', 'text'], ['segment', 'text'], ['ltv', 'double precision']],
  ['user_id'],
  `CREATE TABLE crm (user_id TEXT PRIMARY KEY, segment TEXT, ltv DOUBLE PRECISION)
  WITH (connector = 'file', path = 'tables/crm.csv');`,
  'table',
);

export const views = [revenue, carts, intent, fraud, crm];

/** What views are made from; a stream keeps no rows. */
export const streams = ['events', 'product_viewed', 'products_searched', 'product_added', 'checkout_started', 'order_completed', 'payment_failed'].map((name) => ({
  name,
  kind: 'stream',
  sql: '',
  columns: ['message_id', 'user_key', 'ts', 'properties'].map((n) => ({ name: n, type: n === 'ts' ? 'timestamptz' : n === 'properties' ? 'jsonb' : 'text' })),
  key: [],
  rows: 0,
  emit: 'changes',
  ttl: '',
  description: '',
  rowsPerSec: 0,
  lagMs: 0,
  watermark: null,
  errors: 0,
  late: 0,
  updatedAt: null,
  paused: false,
}));

const segments = ['new', 'loyal', 'vip', 'at risk'];
const scores = new Map();

function absorb({ row, campaign }, at = Date.parse(row.timestamp)) {
  if (row.status === 'quarantined') return;
  const w = iso(minute(at));
  if (row.event === 'Order Completed') {
    const old = revenue.rows.get(JSON.stringify([w, campaign])) ?? [w, campaign, 0, '0'];
    revenue.put(w, campaign, old[2] + 1, money(Number(old[3]) + Number(row.json.properties.total)));
  }
  if (row.event === 'Payment Failed') {
    const bin = row.json.properties.card_bin;
    const old = fraud.rows.get(JSON.stringify([w, bin])) ?? [w, bin, 0, 0];
    fraud.put(w, bin, old[2] + 1, Math.min(old[2] + 1, 7));
  }
  const points = { 'Product Viewed': 1, 'Product Added': 3, 'Checkout Started': 5 }[row.event] ?? 0;
  if (points) {
    const score = (scores.get(row.userKey) ?? 0) + points;
    scores.set(row.userKey, score);
    if (score > 8) intent.put(row.userKey, row.userKey.startsWith('anon') ? null : segments[row.userKey.length % 4], score, row.timestamp);
  }
}

function abandon(ago) {
  const left = Date.now() - ago;
  carts.put(`user_${Math.floor(random() * 900)}`, iso(left - 600_000 * random() - 1_800_000), iso(left), 1 + Math.floor(random() * 4));
}

export function start() {
  for (let i = 1; i <= 220; i++) crm.put(`user_${i}`, segments[i % 4], Math.round(random() * 90_000) / 100);
  for (let m = 55; m > 0; m--) {
    const w = iso(minute(Date.now() - m * 60_000));
    for (const c of campaigns) {
      const orders = Math.round((c === 'spring_sale' ? 7 : 3) * (0.5 + random()));
      if (orders) revenue.put(w, c, orders, money(orders * (70 + 60 * random())));
    }
    if (m % 9 < 2) fraud.put(w, pick(['412345', '512399']), 4 + Math.floor(random() * 30), 1 + Math.floor(random() * 3));
  }
  for (let i = 0; i < 40; i++) intent.put(`user_${1 + Math.floor(random() * 900)}`, segments[i % 4], 9 + Math.floor(random() * 25), iso(Date.now() - random() * 600_000));
  for (let i = 0; i < 160; i++) abandon(random() * 3 * 3_600_000);
  listeners.add(absorb);
  setInterval(() => random() < 0.2 && abandon(0), 1000);
  setInterval(() => views.forEach((v) => v.publish()), 200);
  setInterval(() => intent.rows.size > 80 && intent.drop(intent.rows.keys().next().value), 900);
}

export function viewInfo(v) {
  const live = v.info.kind === 'view';
  return {
    ...v.info,
    rows: v.rows.size,
    rowsPerSec: live ? 1 + random() * 4 : 0,
    lagMs: live ? Math.round(3 + random() * 9) : 0,
    watermark: live ? iso(Date.now() - 5200) : null,
    late: v === carts ? 3 : 0,
    updatedAt: iso(v.updatedAt),
  };
}
