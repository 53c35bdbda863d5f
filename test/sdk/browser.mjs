// Sends events with analytics.js from a page of another origin in real Chromium and prints what became of them:
//   node browser.mjs BASE_URL WRITE_KEY COUNT [standard] [close]
// One line of JSON: {"sdk", "delivered": [messageId…], "failed": [{messageId, reason}…], "blocked": [url…], "preflights": n}.
// An event is delivered when a request that carried it was answered 200. With "standard" each event is a request. With
// "close" the page is closed right after the calls; what it sends while closing has no answer to wait for, so the events
// are then listed as "closing".
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, dirname, join } from 'node:path';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const [base, writeKey, count, ...modes] = process.argv.slice(2);
const umd = join(dirname(createRequire(import.meta.url).resolve('@segment/analytics-next/package.json')), 'dist', 'umd');
const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => p && existsSync(p));
if (!executablePath) {
  console.error('no Chromium found: install it (apt-get install chromium) or set CHROMIUM to its path');
  process.exit(2);
}

// The shop's page. It lives under the name localhost and Myelin under 127.0.0.1, so every request is cross-origin.
const shop = createServer((req, res) => {
  const file = join(umd, basename(new URL(req.url, 'http://x').pathname));
  if (req.url.startsWith('/umd/') && existsSync(file)) {
    res.setHeader('content-type', 'text/javascript');
    createReadStream(file).pipe(res);
    return;
  }
  res.setHeader('content-type', 'text/html');
  res.end('<!doctype html><title>Shop</title><script src="/umd/index.js"></script>');
});
await new Promise((done) => shop.listen(0, '127.0.0.1', done));

const browser = await chromium.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'] });
const page = await (await browser.newContext()).newPage();

const delivered = new Set();
const blocked = [];
let preflights = 0;
page.on('response', (response) => {
  const request = response.request();
  if (request.method() !== 'POST' || !request.url().startsWith(base) || response.status() !== 200) return;
  const body = request.postDataJSON();
  for (const event of body.batch ?? [body]) delivered.add(event.messageId);
});
page.on('requestfailed', (request) => {
  // Aborted is what Chromium calls a request whose error answer nobody reads; CORS blocks are ERR_FAILED.
  if (request.url().startsWith(base) && request.failure()?.errorText !== 'net::ERR_ABORTED') blocked.push(`${request.method()} ${request.url()}: ${request.failure()?.errorText}`);
});
// Playwright hides preflights; the browser's own protocol shows them.
const cdp = await page.context().newCDPSession(page);
await cdp.send('Network.enable');
cdp.on('Network.requestWillBeSent', (e) => {
  if (e.request.method === 'OPTIONS') preflights++;
});

await page.goto(`http://localhost:${shop.address().port}/?utm_source=google&utm_medium=cpc&utm_campaign=autumn`);
const sent = await page.evaluate(
  async ({ base, writeKey, count, standard }) => {
    const options = standard ? { integrations: { 'Segment.io': { deliveryStrategy: { strategy: 'standard' } } } } : {};
    const [analytics] = await window.AnalyticsNext.AnalyticsBrowser.load({ writeKey, cdnURL: base }, options);
    const calls = [];
    for (let i = 0; i < count; i++) {
      const kind = i % 6;
      if (kind === 0) calls.push(analytics.page('Shop', 'Home', { n: i }));
      else if (kind === 1) calls.push(analytics.identify('browser-user', { email: 'browser-user@example.com', n: i }));
      else if (kind === 2) calls.push(analytics.group('g-1', { name: 'Example', n: i }));
      else if (kind === 3) calls.push(analytics.alias('browser-user', `anon-${i}`));
      else if (kind === 4) calls.push(analytics.screen('Cart', { n: i }));
      else calls.push(analytics.track('Order Completed', { order_id: `b-${i}`, total: 12.5, currency: 'EUR', n: i }));
    }
    // A call's promise may end only with its delivery; the ids are known at once from the page's own events.
    const contexts = await Promise.all(calls.map((c) => Promise.race([c, new Promise((done) => setTimeout(() => done(null), 60_000))])));
    return contexts.map((c) => c && c.event.messageId);
  },
  { base, writeKey, count: Number(count), standard: modes.includes('standard') },
);

const ids = sent.filter(Boolean);
const result = { sdk: 'analytics-next', delivered: [], failed: [], blocked, preflights: 0 };
if (modes.includes('close')) {
  await page.close({ runBeforeUnload: true });
  // What a closing page sends is not reported to anyone here: who started us ends our input once it has come.
  await new Promise((done) => process.stdin.on('end', done).resume());
  await new Promise((done) => setTimeout(done, 500)); // what is there twice would come now
  result.closing = ids;
} else {
  const deadline = Date.now() + 90_000;
  while (ids.some((id) => !delivered.has(id)) && Date.now() < deadline) await new Promise((done) => setTimeout(done, 50));
  result.delivered = ids.filter((id) => delivered.has(id));
  result.failed = ids.filter((id) => !delivered.has(id)).map((messageId) => ({ messageId, reason: 'no request with it was answered 200 within 90 s' }));
}
for (let i = ids.length; i < sent.length; i++) result.failed.push({ messageId: null, reason: 'the call did not return within 60 s' });
result.preflights = preflights;
await browser.close();
shop.close();
console.log(JSON.stringify(result));
