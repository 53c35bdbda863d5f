// A stand-in for Myelin's HTTP API with a made-up shop, for developing the pages. Development only.
//   node mock/server.mjs [--port 8099] [--speed 1] [--scenario busy|empty] [--cluster]     (also serves dist/app once built)
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as trouble from './incidents.mjs';
import * as shop from './shop.mjs';
import * as out from './sinks.mjs';
import { start as startViews, streams, viewInfo, views } from './views.mjs';

const { values: flags } = parseArgs({
  options: { port: { type: 'string', default: '8099' }, speed: { type: 'string', default: '1' }, scenario: { type: 'string', default: 'busy' }, cluster: { type: 'boolean' } },
});
const empty = flags.scenario === 'empty';
if (!empty) {
  shop.start(Number(flags.speed));
  startViews();
  out.start();
}

const app = fileURLToPath(new URL('../dist/app', import.meta.url));
const mime = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.txt': 'text/plain' };
// The policy that Myelin itself sends.
const policy = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; frame-ancestors 'self'";
const problems = [
  { file: 'sql/30_winback.sql', line: 4, column: 17, message: 'column "campagin" does not exist in order_completed', hint: 'Did you mean "campaign"?' },
  { file: 'plan/loyalty.yaml', line: 12, column: 9, message: 'unknown key "requird"', hint: 'Did you mean "required"?' },
];

function json(res, body, status = 200) {
  res.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  res.end(JSON.stringify(body));
}
const missing = (res, what) => json(res, { error: { code: 'not_found', message: `There is no ${what}`, hint: 'Check the name, or look at the list.' } }, 404);

function stream(req, res, begin) {
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const beat = setInterval(() => res.write(': beat\n\n'), 5000);
  const end = begin((event, data, id) => res.write(`${id ? `id: ${id}\n` : ''}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
  req.on('close', () => {
    clearInterval(beat);
    end();
  });
}

const matching = (p) => (row) =>
  (!p.get('status') || p.get('status') === 'all' || row.status === p.get('status')) &&
  (!p.get('q') || JSON.stringify(row).toLowerCase().includes(p.get('q').toLowerCase()));

const nothing = { in: 0, accepted: 0, quarantined: 0, duplicates: 0, pending: 0 };

function overview() {
  const o = shop.overview();
  if (!empty) return o;
  for (const s of o.stages) Object.assign(s, { in: 0, out: 0, ratePerSec: 0, lag: 0, deadLetters: 0, series: s.series.map(() => 0) });
  return { ...o, balance: nothing, startedAt: new Date(Date.now() - 40_000).toISOString() };
}

function quality() {
  if (empty) return { totals: { checked: 0, valid: 0, warn: 0, fixed: 0, quarantined: 0 }, groups: null };
  return { totals: shop.quality, groups: [...shop.groups.values()].sort((a, b) => b.count - a.count) };
}

// One process, or with --cluster three, of which one was lost.
function cluster() {
  const ago = (s) => new Date(Date.now() - s * 1000).toISOString();
  const node = (name, port, more) => ({
    name, address: `http://10.0.0.${port}:8080`, version: 'dev', roles: ['collect', 'trust', 'process', 'serve', 'activate'],
    startedAt: ago(86_400), heardAt: ago(0.3), silent: false, keeper: false, tasks: [], ...more,
  });
  if (!flags.cluster) return { node: 'shop', nodes: [node('shop', 1, { keeper: true })], tasks: [] };
  const names = views.map((v) => viewInfo(v).name);
  const task = (n, node, more) => ({
    task: n, node, since: node ? ago(4000) : null, restoring: false, lagMs: 14 + n, behind: 0, views: names.filter((_, i) => i % 3 === n), ...more,
  });
  return {
    node: 'shop-1',
    nodes: [node('shop-1', 1, { keeper: true, tasks: [0] }), node('shop-2', 2, { startedAt: ago(1900), tasks: [1, 2] }), node('shop-3', 3, { silent: true, heardAt: ago(9) })],
    tasks: [task(0, 'shop-1'), task(1, 'shop-2'), task(2, 'shop-2', { restoring: true, lagMs: 3100 })],
  };
}

const incidents = empty ? [] : trouble.incidents();

function act(req, res, id, verb) {
  const found = incidents.find((i) => i.id === id);
  if (!found) return missing(res, 'such incident');
  let text = '';
  req.on('data', (d) => (text += d));
  req.on('end', () => {
    const { comment, until } = JSON.parse(text || '{}');
    json(res, trouble.handle(found, verb, comment, until));
  });
}

const routes = [
  ['GET', /^\/api\/incidents$/, (req, res, _, p) => json(res, trouble.incidentList(incidents, p.get('state') ?? ''))],
  ['GET', /^\/api\/incidents\/live$/, (req, res) => stream(req, res, (send) => {
    for (const i of incidents) if (i.state !== 'resolved') send('incident', i);
    return () => {};
  })],
  ['GET', /^\/api\/incidents\/([^/]+)$/, (req, res, [id]) => {
    const found = incidents.find((i) => i.id === id);
    return found ? json(res, found) : missing(res, 'such incident');
  }],
  ['POST', /^\/api\/incidents\/([^/]+)\/(acknowledge|mute|unmute|resolve)$/, (req, res, [id, verb]) => act(req, res, id, verb)],
  ['GET', /^\/api\/overview$/, (req, res) => json(res, overview())],
  ['GET', /^\/api\/overview\/live$/, (req, res) => stream(req, res, (send) => {
    send('overview', overview());
    const t = setInterval(() => send('overview', overview()), 1000);
    return () => clearInterval(t);
  })],
  ['GET', /^\/api\/events$/, (req, res, _, p) => json(res, { events: empty ? null : shop.recent.filter(matching(p)).slice(0, Number(p.get('limit') ?? 100)) })],
  ['GET', /^\/api\/events\/live$/, (req, res, _, p) => stream(req, res, (send) => {
    const ok = matching(p);
    const f = ({ row }) => ok(row) && send('event', row);
    shop.listeners.add(f);
    return () => shop.listeners.delete(f);
  })],
  ['GET', /^\/api\/quality$/, (req, res) => json(res, quality())],
  ['GET', /^\/api\/views$/, (req, res) => json(res, { views: empty ? streams.slice(0, 1) : [...views.map(viewInfo), ...streams] })],
  ['GET', /^\/api\/views\/([^/]+)$/, (req, res, [name], p) => {
    const v = views.find((x) => x.info.name === name);
    return v && !empty ? json(res, v.snapshot(Number(p.get('limit') ?? 200), p.get('order') ?? '')) : missing(res, `view named "${name}"`);
  }],
  ['GET', /^\/api\/views\/([^/]+)\/live$/, (req, res, [name], p) => {
    const v = views.find((x) => x.info.name === name);
    if (!v || empty) return missing(res, `view named "${name}"`);
    return stream(req, res, (send) => {
      const s = v.snapshot(Number(p.get('limit') ?? 5000));
      send('snapshot', { columns: s.columns, rows: s.rows, step: s.step }, s.step);
      const f = (change) => send('change', change, change.step);
      v.subscribers.add(f);
      return () => v.subscribers.delete(f);
    });
  }],
  ['GET', /^\/api\/sinks$/, (req, res) => json(res, { sinks: empty ? [] : out.sinks })],
  ['GET', /^\/api\/sinks\/([^/]+)\/deliveries$/, (req, res, [name], p) => {
    const found = out.deliveries(name, Number(p.get('limit') ?? 50));
    return found ? json(res, { deliveries: found }) : missing(res, `sink named "${name}"`);
  }],
  ['POST', /^\/api\/sinks\/([^/]+)\/deadletters\/replay$/, (req, res, [name]) => {
    const done = out.replay(name);
    return done ? json(res, done) : missing(res, `sink named "${name}"`);
  }],
  ['GET', /^\/api\/sources$/, (req, res) => json(res, { sources: shop.sources().map((s) => (empty ? { ...s, total: 0, ratePerSec: 0, lastSeen: null } : s)).slice(0, empty ? 1 : 9) })],
  ['GET', /^\/api\/cluster$/, (req, res) => json(res, cluster())],
  ['GET', /^\/api\/problems$/, (req, res) => json(res, { problems: empty ? null : problems })],
];

async function file(res, path) {
  const wanted = join(app, normalize(path));
  const body = await readFile(wanted).catch(() => (extname(path) ? null : readFile(join(app, 'index.html')).catch(() => null)));
  if (!body) return missing(res, 'such file; run npm run build first');
  res.writeHead(200, { 'Content-Type': mime[extname(path)] ?? mime['.html'], 'Content-Security-Policy': policy });
  res.end(body);
}

createServer((req, res) => {
  const url = new URL(req.url, 'http://mock');
  for (const [method, pattern, handle] of routes) {
    const m = req.method === method && pattern.exec(url.pathname);
    if (m) return handle(req, res, m.slice(1).map(decodeURIComponent), url.searchParams);
  }
  if (url.pathname.startsWith('/api/')) return missing(res, 'such address');
  return file(res, url.pathname);
}).listen(Number(flags.port), '127.0.0.1', () => console.log(`mock shop on http://127.0.0.1:${flags.port}`));
