// Opens every page as people do, in light and dark, wide and narrow: axe must find nothing, nothing may stick out, the keyboard
// must reach everything, and each state must say what to do next. Writes screenshots on the way.
//   node test/pages.mjs [BASE_URL|mock] [SHOTS_FOLDER] [ONLY]
// Without a URL it starts the mock shop (needs npm run build). ONLY runs the checks whose name contains it.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, upToDate } from '../scripts/schema.mjs';
import { axe, launch, open, until } from './browser.mjs';
import { keyboard } from './keyboard.mjs';
import { startMock } from './mock.mjs';
import { quarantine } from './quarantine.mjs';
import { sql } from './sql.mjs';
import { states } from './states.mjs';
import { trust } from './trust.mjs';
import { topics } from './topics.mjs';
import { upkeep } from './upkeep.mjs';

const [given, shots = 'shots', only = ''] = process.argv.slice(2);
const givenBase = given === 'mock' ? undefined : given;
await mkdir(shots, { recursive: true });
const mock = givenBase ? null : await startMock();
const base = (givenBase ?? mock.url).replace(/\/$/, '');
const browser = await launch();

const failures = [];
let passed = 0;

async function check(name, run) {
  if (!name.includes(only)) return;
  try {
    await run();
    passed++;
    console.log(`ok    ${name}`);
  } catch (e) {
    failures.push(name);
    console.log(`FAIL  ${name}\n      ${String(e.message ?? e).split('\n').slice(0, 12).join('\n      ')}`);
  }
}

export function must(condition, message) {
  if (!condition) throw new Error(message);
}

async function clean(page) {
  const found = await axe(page);
  must(found.length === 0, `axe: ${found.join('\n')}`);
  must(page.complaints.length === 0, page.complaints.join('\n'));
  await fits(page);
}

async function fits(page) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth - document.documentElement.clientWidth, innerWidth]);
  must(wide <= 0, `the page is ${wide} px wider than its window of ${window} px`);
}

// A picture is for people; a busy machine that gets it on the second try has not broken the page.
const shot = (page, name, fullPage = true) => {
  const take = () => page.screenshot({ path: join(shots, `${name}.png`), fullPage, animations: 'disabled' });
  return take().catch(take);
};

const firstView = await fetch(`${base}/api/views`)
  .then((r) => r.json())
  .then((r) => (r.views ?? []).find((v) => v.kind === 'view' && v.rows > 0)?.name ?? r.views?.[0]?.name);

const pages = [
  { name: 'overview', path: '/', title: 'Overview', ready: (p) => p.getByRole('heading', { name: 'Collect' }) },
  { name: 'events', path: '/events', title: 'Events', ready: (p) => p.getByRole('row').nth(3) },
  { name: 'quality', path: '/quality', title: 'Quality', ready: (p) => p.getByRole('button', { expanded: false }).nth(1) },
  { name: 'quarantine', path: '/quarantine', title: 'Quarantine', needs: '/api/quarantine/groups', ready: (p) => p.getByRole('heading', { level: 2 }).nth(1) },
  { name: 'health', path: '/health', title: 'Health', needs: '/api/watch', ready: (p) => p.getByRole('row').nth(1) },
  { name: 'incidents', path: '/incidents?state=all', title: 'Incidents', needs: '/api/incidents', ready: (p) => p.getByRole('heading', { level: 2 }).first() },
  { name: 'plan', path: '/plan?event=Order%20Completed', title: 'Plan', needs: '/api/quarantine/groups', ready: (p) => p.getByRole('button', { name: 'Edit total' }) },
  { name: 'proposals', path: '/proposals', title: 'Proposals', needs: '/api/proposals', ready: (p) => p.getByRole('region', { name: 'Proposals' }) },
  { name: 'lineage', path: '/lineage', title: 'Lineage', needs: '/api/lineage', ready: (p) => p.getByRole('button', { pressed: false }).nth(3) },
  { name: 'audit', path: '/audit', title: 'Audit log', needs: '/api/audit', ready: (p) => p.getByRole('region', { name: 'Entries' }) },
  { name: 'views', path: '/views', title: 'Views', ready: (p) => p.getByRole('heading', { level: 3 }).first() },
  { name: 'view', path: `/views/${firstView}`, title: firstView, ready: (p) => p.getByRole('heading', { name: 'Rows', exact: true }) },
  { name: 'sql', path: '/sql', title: 'SQL', needs: '/api/sql/functions', ready: (p) => p.getByRole('textbox', { name: 'SQL' }) },
  { name: 'topics', path: '/topics', title: 'Topics', needs: '/api/topics', ready: (p) => p.getByRole('link', { name: 'events.in' }) },
  { name: 'groups', path: '/groups?internal=1', title: 'Consumer groups', needs: '/api/groups', ready: (p) => p.getByRole('button', { name: 'myelin.release' }) },
  { name: 'topic', path: '/topics/events', title: 'events', needs: '/api/topics', ready: (p) => p.getByRole('row').nth(3) },
  { name: 'deliveries', path: '/deliveries', title: 'Deliveries', ready: (p) => p.getByRole('row').nth(1) },
];

// The mock shop has not every part of the API; what a page needs and the server lacks is left out there.
const has = async (path) => (await fetch(base + path)).ok;
for (const p of pages) p.there = !p.needs || (await has(p.needs));

// Each page is loaded wide and on a phone, and then resized and recoloured in place, as people do.
const devices = [
  { tag: '', width: 1440, height: 900, also: [1600, 1100, 768] },
  { tag: '-360', width: 360, height: 740, also: [] },
];

for (const device of devices) {
  for (const p of pages.filter((p) => p.there)) {
    await check(`${p.name} at ${[device.width, ...device.also].join(', ')} px, light and dark`, async () => {
      const page = await open(browser, device);
      try {
        await page.goto(base + p.path);
        await p.ready(page).waitFor();
        await until(`the window is titled ${p.title}`, async () => (await page.title()).startsWith(p.title));
        await page.evaluate(() => document.fonts.ready);
        for (const theme of ['light', 'dark']) {
          await page.emulateMedia({ colorScheme: theme });
          await shot(page, `${p.name}-${theme}${device.tag}`, true);
          await clean(page);
        }
        for (const width of device.also) {
          await page.setViewportSize({ width, height: device.height });
          await fits(page);
        }
      } finally {
        await page.context().close();
      }
    });
  }
}

await check('the types of the API are those of this server', async () => {
  const openapi = await describe(base);
  must(!openapi || (await upToDate(openapi)), 'run: node scripts/schema.mjs ' + base);
});

for (const group of [keyboard, states, topics, sql, upkeep, quarantine, trust]) await group({ browser, base, open, check, must, clean, shot, has, view: firstView });

await browser.close();
mock?.stop();
console.log(`\n${passed} passed, ${failures.length} failed${failures.length ? `: ${failures.join('; ')}` : ''}. Screenshots in ${shots}.`);
process.exit(failures.length ? 1 : 0);
