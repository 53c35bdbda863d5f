// Takes the pictures of the pages for the docs: each in light and dark, as a window of 1440 × 900 shows it.
//   node test/screens.mjs BASE_URL FOLDER [VIEW] [PAGE…]
// An incident and a cause are pictured where the server has one: send it orders that break its plan from a new app version.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { launch, open } from './browser.mjs';

const [base, folder, view, ...only] = process.argv.slice(2);
if (!base || !folder) throw new Error('usage: node test/screens.mjs BASE_URL FOLDER [VIEW]');
await mkdir(folder, { recursive: true });

const list = await (await fetch(new URL('/api/views', base))).json();
const name = view || list.views.find((v) => v.kind === 'view' && /revenue/.test(v.name))?.name || list.views[0].name;
const ask = async (path) => (await fetch(new URL(path, base))).json().catch(() => ({}));
const incident = (await ask('/api/incidents?state=open')).incidents?.[0]?.id;
const cause = (await ask('/api/quarantine/groups')).groups?.find((g) => g.waiting > 0 && g.suggested.length > 0)?.id;
const pages = { overview: '/', events: '/events', quality: '/quality', views: '/views', view: `/views/${name}`, deliveries: '/deliveries',
  plan: '/plan?event=Order%20Completed', lineage: '/lineage', sql: '/sql',
  ...(incident && { incident: `/incidents/${incident}` }), ...(cause && { cause: `/quarantine/${cause}` }) };

const browser = await launch();
for (const theme of ['light', 'dark']) {
  for (const [page, path] of Object.entries(pages)) {
    if (only.length > 0 && !only.includes(page)) continue;
    const p = await open(browser, { theme });
    await p.goto(new URL(path, base).href);
    await p.getByRole('heading', { level: 1 }).waitFor();
    // A page is worth a picture once its own data stands on it, and no placeholder is left.
    if (page === 'cause') await p.getByRole('radio', { name: /suggested/ }).first().check();
    if (page === 'lineage') await p.getByRole('button', { name: /^campaign_revenue/ }).click();
    await p.getByRole('heading', { level: 2 }).or(p.getByRole('row').nth(2)).first().waitFor({ state: 'attached' });
    await p.getByText(/^Loading/).first().waitFor({ state: 'detached' });
    await p.waitForLoadState('networkidle', { timeout: 3000 }).catch(() => {}); // never idle while a stream is open
    await p.evaluate(() => document.fonts.ready);
    await p.screenshot({ path: join(folder, `${page}-${theme}.png`), animations: 'disabled' });
    await p.context().close();
  }
}
await browser.close();
console.log(`pictures of ${Object.keys(pages).length} pages in ${folder}`);
