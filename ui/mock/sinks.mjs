// Sinks of the made-up shop: one healthy with a few dead letters, one whose receiver is down, one topic.
import { random } from './events.mjs';

const iso = (ms) => new Date(ms).toISOString();

export const sinks = [
  {
    name: 'cart_mail', from: 'abandoned_carts', connector: 'webhook', target: 'http://127.0.0.1:9999/cart', state: 'ok',
    in: 6_130, delivered: 5_806, duplicates: 4, suppressed: 306, deadLettered: 12, pending: 2, lastError: '',
  },
  {
    name: 'fraud_alert', from: 'card_testing', connector: 'webhook', target: 'https://hooks.chat.example/T02/fraud', state: 'retrying',
    in: 88, delivered: 50, duplicates: 0, suppressed: 0, deadLettered: 0, pending: 38, lastError: 'The receiver answered 503 (service unavailable). Next try in 8 s.',
  },
  {
    name: 'revenue_out', from: 'revenue_per_minute', connector: 'kafka', target: 'topic revenue_out', state: 'ok',
    in: 18_244, delivered: 18_244, duplicates: 0, suppressed: 0, deadLettered: 0, pending: 0, lastError: '',
  },
];

const logs = new Map(sinks.map((s) => [s.name, []]));

function deliver(sink, at) {
  const user = `user_${Math.floor(random() * 900)}`;
  const payloads = {
    cart_mail: { user_key: user, window_start: iso(at - 3_000_000), left_at: iso(at), items: 1 + Math.floor(random() * 4) },
    fraud_alert: { window_start: iso(at - 60_000), card_bin: '412345', failures: 23, users: 2 },
    revenue_out: { window_start: iso(at - (at % 60_000)), campaign: 'spring_sale', orders: 6, revenue: '611.40' },
  };
  const r = random();
  let status = 'delivered';
  let extra = { attempts: 1, httpStatus: sink.connector === 'webhook' ? 204 : 0, error: '' };
  if (sink.name === 'cart_mail' && r < 0.06) status = 'suppressed', extra = { attempts: 0, httpStatus: 0, error: 'cooldown: last sent 3 h ago, once per 24 hours' };
  else if (sink.name === 'cart_mail' && r < 0.12) status = 'dead_lettered', extra = { attempts: 8, httpStatus: 422, error: 'The receiver answered 422: unknown recipient' };
  else if (sink.name === 'cart_mail' && r < 0.14) status = 'duplicate';
  else if (r < 0.2) extra = { ...extra, attempts: 2 };
  const log = logs.get(sink.name);
  log.unshift({ at: iso(at), key: sink.name === 'cart_mail' ? user : '412345', status, ...extra, payload: payloads[sink.name] });
  if (log.length > 300) log.pop();
  return status;
}

export function start() {
  for (const s of sinks) for (let i = 60; i > 0; i--) deliver(s, Date.now() - i * 47_000 - (s.state === 'ok' ? 0 : 900_000));
  for (const s of sinks) s.lastDeliveryAt = logs.get(s.name)[0].at;
  setInterval(() => {
    const s = random() < 0.4 ? sinks[0] : sinks[2];
    s.in++;
    const status = deliver(s, Date.now());
    s[{ delivered: 'delivered', dead_lettered: 'deadLettered', suppressed: 'suppressed', duplicate: 'duplicates' }[status]]++;
    s.lastDeliveryAt = iso(Date.now());
  }, 2500);
}

export const deliveries = (name, limit) => logs.get(name)?.slice(0, limit);

export function replay(name) {
  const s = sinks.find((x) => x.name === name);
  if (!s) return null;
  const replayed = s.deadLettered;
  s.deadLettered = 0;
  s.delivered += replayed;
  for (const d of logs.get(name)) if (d.status === 'dead_lettered') Object.assign(d, { status: 'delivered', httpStatus: 204, error: '', at: iso(Date.now()) });
  return { replayed };
}
