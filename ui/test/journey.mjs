// What somebody does who misses orders: she logs in, sees that something changed, finds out why, repairs the orders, sends them on,
// and sees them counted. The fault is real: an app's new release sends the total of each order as a text. Nothing but the pages is
// used, every step is looked at in light and dark, and no word of it may need knowledge of schemas.
//   node test/journey.mjs BASE_URL SHOTS_FOLDER      (test/e2e starts a server with the users and the plan that this expects)
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { axe, launch, open, until } from './browser.mjs';

const [base, shots] = process.argv.slice(2);
await mkdir(shots, { recursive: true });

function must(condition, message) {
  if (!condition) throw new Error(message);
}

let made = 0;
async function orders(n, version, total) {
  const batch = Array.from({ length: n }, () => {
    const id = made++;
    return {
      type: 'track', event: 'Order Completed', messageId: `order-${id}`, userId: `user-${id % 7}`, timestamp: new Date().toISOString(),
      properties: { order_id: `o${id}`, total: total(id), currency: 'EUR' }, context: { app: { version } },
    };
  });
  const r = await fetch(`${base}/v1/batch`, { method: 'POST', headers: { Authorization: `Basic ${btoa('wk_app:')}`, 'Content-Type': 'application/json' }, body: JSON.stringify({ batch }) });
  must(r.ok, `sending orders: ${await r.text()}`);
}

// Words that only those know who write schemas. What an event itself holds is not looked at.
const jargon = /\b(schemas?|json|regex|enum|payload|null|boolean|strings?|type mismatch|type_mismatch|violations?|required_missing|partition|offset|messageId|pointer|coerce|deserial\w*|topic)\b|\/properties\//i;

let step = 0;
async function look(page, name) {
  step++;
  const file = `${String(step).padStart(2, '0')}-${name}`;
  await page.evaluate(() => document.fonts.ready);
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    await page.screenshot({ path: join(shots, `${file}-${theme}.png`), fullPage: true, animations: 'disabled' });
    const found = await axe(page);
    must(found.length === 0, `${file} in ${theme}: axe: ${found.join('\n')}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  must(page.complaints.length === 0, page.complaints.join('\n'));
  const words = await page.evaluate(() => {
    const main = document.querySelector('main').cloneNode(true);
    for (const x of main.querySelectorAll('.json, code, .sr-only, style')) x.remove();
    const texts = [];
    for (const walk = document.createTreeWalker(main, NodeFilter.SHOW_TEXT); walk.nextNode(); ) texts.push(walk.currentNode.data);
    return texts.join(' ');
  });
  const found = jargon.exec(words);
  must(!found, `${file} says "${words.slice(Math.max(0, (found?.index ?? 0) - 60), (found?.index ?? 0) + 60)}"`);
  console.log(`ok    ${file}`);
}

async function enter(page, name, password) {
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

const browser = await launch();
let failed = '';
const page = await open(browser);
try {
  await orders(200, '4.1', (id) => 10 + (id % 50));
  await orders(40, '4.2', (id) => `${10 + (id % 50)}.90`);

  // The door.
  await page.goto(`${base}/`);
  await page.getByRole('heading', { name: 'Log in to Myelin' }).waitFor();
  await enter(page, 'ana', 'guessed');
  await page.getByRole('alert').getByText('The name or the password is wrong').waitFor();
  await until('the wrong password is gone', async () => (await page.getByLabel('Password').inputValue()) === '');
  await look(page, 'wrong-password');
  await enter(page, 'ana', 'anas password');

  // Something changed.
  const changed = page.getByRole('link', { name: /^See what changed/ }).first();
  await changed.waitFor();
  await look(page, 'overview');
  await changed.click();
  await page.getByRole('heading', { level: 1, name: /Order Completed from shop-app 4\.2/ }).waitFor();
  await page.getByText(/It began with release 4\.2/).waitFor();
  const ways = page.getByRole('link', { name: /^See the 40 events in quarantine/ });
  await ways.waitFor();
  await look(page, 'incident');
  must((await page.getByRole('region', { name: 'What happened' }).getByRole('link', { name: /Quarantine page/ }).getAttribute('href')) === '/quarantine', 'the next step does not lead to where it says');

  // Why, and what would help.
  await ways.click();
  await page.getByRole('heading', { level: 1, name: /total/ }).waitFor();
  await page.getByRole('heading', { name: /^Example 1 of/ }).waitFor();
  await page.getByRole('button', { name: 'Next example' }).click();
  await page.getByRole('heading', { name: /^Example 2 of/ }).waitFor();
  await look(page, 'cause');
  await page.getByRole('radio', { name: /suggested/ }).first().check();
  await page.getByText('40 of 40 get through').waitFor();
  await page.getByText('gets through').first().waitFor();
  await look(page, 'preview');
  await page.getByRole('button', { name: 'Repair and send 40 events' }).click();
  await page.getByText(/40 got through/).waitFor();
  await look(page, 'sent');

  // It is over.
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: /^Incidents/ }).click();
  await page.getByRole('link', { name: /shop-app 4\.2/ }).first().click();
  await page.getByRole('button', { name: 'Resolve' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox').fill('repaired; the app team ships 4.3');
  await dialog.getByRole('button', { name: 'Resolve' }).click();
  await page.getByText('Resolved', { exact: true }).first().waitFor();
  await page.getByText(/resolved it: repaired; the app team ships 4\.3/).waitFor();
  await until('the incident leads to no events that wait', async () => (await page.getByRole('link', { name: /in quarantine/ }).count()) === 0);
  await look(page, 'resolved');
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Quarantine' }).click();
  await page.getByRole('heading', { name: 'Nothing waits' }).waitFor();
  await page.getByRole('row', { name: /40 sent on/ }).waitFor();
  await look(page, 'nothing-waits');
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Views' }).click();
  await page.getByRole('link', { name: 'orders_by_app' }).first().click();
  await page.getByRole('row', { name: /4\.2\s+40\b/ }).waitFor();
  await page.screenshot({ path: join(shots, 'counted.png'), fullPage: true });

  // What others may: a viewer sees the figures but neither single events nor the repair.
  await page.context().clearCookies();
  await orders(5, '4.2', () => 'nineteen');
  await page.goto(`${base}/quarantine`);
  await enter(page, 'vic', 'vics password');
  await page.getByRole('link', { name: /total/ }).first().click();
  await page.getByText(/Your role may look\. An analyst or engineer/).waitFor();
  await page.getByText('Your role may not see single events.').waitFor();
  must((await page.getByRole('button', { name: /Discard|Mute|Repair/ }).count()) === 0, 'a viewer is offered what the role does not allow');
  await look(page, 'viewer');

  // Who did it, for those who may read it.
  await page.context().clearCookies();
  await page.goto(`${base}/audit`);
  await enter(page, 'pia', 'pias password');
  const sent = page.getByRole('row').filter({ hasText: 'sent held events on' });
  await sent.getByText(/Order Completed.*from shop-app/).waitFor();
  await page.getByRole('row').filter({ hasText: 'finished with held events' }).getByText(/sent 40/).waitFor();
  await page.getByText(/as (they were|it was) written/).waitFor();
  await page.screenshot({ path: join(shots, 'audit.png') });
} catch (e) {
  failed = String(e.stack ?? e);
  await page.screenshot({ path: join(shots, 'failed.png'), fullPage: true }).catch(() => {});
}
await browser.close();
if (failed) console.log(`FAIL  ${failed}`);
process.exit(failed ? 1 : 0);
