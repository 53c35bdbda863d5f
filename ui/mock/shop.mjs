// The running shop: counters per stage, quality groups, recent events. What a real Myelin would answer, made up.
import { makeEvent, random } from './events.mjs';

const started = Date.now() - 26 * 3_600_000;
export const recent = [];
export const listeners = new Set();
export const balance = { in: 1_284_093, accepted: 1_241_870, quarantined: 31_022, duplicates: 11_170, pending: 31 };
export const quality = { checked: 1_272_892, valid: 1_206_470, warn: 19_302, fixed: 16_098, quarantined: 31_022 };
export const groups = new Map();
const rates = Array.from({ length: 60 }, (_, i) => 38 + 9 * Math.sin(i / 7) + 6 * random());
let thisSecond = 0;

const history = { required_missing: 14_112, misspelled_event: 9_830, unplanned_event: 6_011, range_violation: 1_069, type_mismatch: 16_098, additional_property: 19_302 };

function group(row) {
  const found = row.violations[0];
  const id = [row.source, row.event, found.code, found.path].join('|').replaceAll(' ', '_');
  const g = groups.get(id) ?? {
    id,
    event: row.event,
    ...found,
    source: row.source,
    count: Math.round((history[found.code] ?? 400) * (groups.has(id) ? 1 : 0.4 + 0.5 * random())),
    firstSeen: new Date(Date.now() - (2 + random() * 20) * 3_600_000).toISOString(),
    status: row.status,
    perMinute: Array.from({ length: 60 }, () => Math.floor(random() * 5)),
    explanation: '',
    nextStep: '',
  };
  g.count++;
  g.lastSeen = row.receivedAt;
  g.sample = row.json;
  g.got = found.got;
  g.perMinute[59]++;
  groups.set(id, g);
}

function one(at) {
  const made = makeEvent(at);
  const { row } = made;
  recent.unshift(row);
  if (recent.length > 1000) recent.pop();
  balance.in++;
  quality.checked++;
  quality[row.status]++;
  if (row.status === 'quarantined') balance.quarantined++;
  else balance.accepted++;
  if (row.violations.length) group(row);
  thisSecond++;
  for (const f of listeners) f(made);
}

export function start(speed) {
  for (let i = 3000; i > 0; i--) one(Date.now() - i * 25);
  for (const g of groups.values()) g.perMinute[59] = Math.floor(3 * random());
  thisSecond = 0;
  setInterval(() => {
    const wave = 1 + 0.3 * Math.sin(Date.now() / 9000) + 0.25 * (random() - 0.5);
    for (let i = 0; i < Math.round(4.2 * wave * speed); i++) one(Date.now());
    if (random() < 0.05) {
      balance.in++;
      balance.duplicates++;
    }
  }, 100);
  setInterval(() => {
    rates.push(thisSecond);
    rates.shift();
    thisSecond = 0;
  }, 1000);
}

const jitter = (share, delay) => rates.map((r, i) => Math.max(0, (rates[Math.max(0, i - delay)] ?? r) * share + (random() - 0.5)));

export function overview() {
  const ok = balance.accepted / balance.in;
  const stage = (id, title, share, extra) => {
    const series = jitter(share, 0);
    return { id, title, in: balance.in, out: balance.in, ratePerSec: series.at(-1), lag: 0, deadLetters: 0, errors: 0, note: '', series, ...extra };
  };
  const q = balance.quarantined;
  return {
    at: new Date().toISOString(),
    stages: [
      stage('collect', 'Collect', 1, { note: 'Events received over HTTP and Kafka' }),
      stage('trust', 'Trust', 1, { out: balance.accepted, deadLetters: q, note: 'Checked against the tracking plan' }),
      stage('log', 'Log', ok, { in: balance.accepted, out: balance.accepted, lag: Math.floor(random() * 9), note: 'Stored in order, on disk' }),
      stage('process', 'Process', ok, { in: balance.accepted, out: 482_110, lag: Math.floor(random() * 14), note: 'Rows read by 4 views' }),
      stage('serve', 'Serve', 0.12, { in: 482_110, out: 9_204, note: 'Queries and live readers answered' }),
      stage('activate', 'Activate', 0.04, { in: 6_130, out: 6_080, deadLetters: 12, lag: 38, note: 'Sent to other tools' }),
    ],
    balance,
    startedAt: new Date(started).toISOString(),
    version: '0.1.0-mock',
  };
}

export function sources() {
  const now = Date.now();
  const rate = rates.at(-1);
  return [
    { name: 'shop-web', plan: 'shop', writeKeys: ['wk_shop_web'], ratePerSec: rate * 0.55, total: 702_118, lastSeen: new Date(now).toISOString() },
    { name: 'shop-ios', plan: 'shop', writeKeys: ['wk_shop_ios'], ratePerSec: rate * 0.33, total: 421_400, lastSeen: new Date(now).toISOString() },
    { name: 'backend', plan: 'shop', writeKeys: ['wk_backend'], ratePerSec: rate * 0.12, total: 148_303, lastSeen: new Date(now - 2000).toISOString() },
    { name: 'pos-berlin', plan: 'shop', writeKeys: ['wk_pos_berlin'], ratePerSec: 0, total: 12_272, lastSeen: new Date(now - 3 * 3_600_000).toISOString() },
  ];
}
