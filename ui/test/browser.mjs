// Chromium for the page checks, with axe inside.
import { chromium } from 'playwright-core';
import { createRequire } from 'node:module';
import { existsSync, readFileSync } from 'node:fs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** How long a check waits for what comes as soon as the machine gets to it, in milliseconds. */
export const patience = 90_000;

/** Waits until a condition holds, for what no locator can wait for. */
export async function until(what, holds) {
  for (const end = Date.now() + patience; ; ) {
    const is = await holds();
    if (is) return is;
    if (Date.now() > end) throw new Error(`not within ${patience / 1000} s: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** Presses a button of a page that may do by itself what the button does, and go on without it. */
export async function pressUnless(button, done) {
  await Promise.any([button.click(), done.waitFor()]);
}

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts the system's Chromium, or the one named by CHROMIUM, on a fresh profile. */
export async function launch() {
  const found = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => p && existsSync(p));
  if (!found) throw new Error('no Chromium found: install it (apt-get install chromium) or set CHROMIUM to its path');
  return chromium.launch({ executablePath: found, headless: true, args: flags });
}

/** A page of its own context, that collects what the console and the page complain about. */
export async function open(browser, { width = 1440, height = 900, theme = 'light', motion = 'reduce' } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, reducedMotion: motion });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.complaints = [];
  page.underWay = new Set(); // what was asked and not answered yet
  const name = (r) => `${r.method()} ${new URL(r.url()).pathname}`;
  page.on('request', (r) => page.underWay.add(name(r)));
  for (const end of ['requestfinished', 'requestfailed']) page.on(end, (r) => page.underWay.delete(name(r)));
  page.on('pageerror', (e) => page.complaints.push(`page error: ${e.message}`));
  page.on('console', (m) => {
    if (m.type() === 'error' && !/Failed to load resource|ERR_/.test(m.text())) page.complaints.push(`console: ${m.text()}`);
  });
  return page;
}

/** What axe finds on the page, one line each; nothing is the only good answer. */
export async function axe(page) {
  // Evaluated, not added as a script tag: the server's content security policy rightly forbids that.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axeSource);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return found.violations.flatMap((v) => v.nodes.map((n) => `${v.id} (${v.impact}) at ${n.target.join(' ')}: ${n.failureSummary.replaceAll('\n', ' ')}`));
}

/** What a reader sees on the page when a check fails: when, where, and what alerts and dialogs say. */
export async function state(page) {
  const seen = await page
    .evaluate(() => {
      const text = (e) => (e.innerText ?? '').replace(/\s+/g, ' ').trim().slice(0, 400);
      const all = (what, selector) => [...document.querySelectorAll(selector)].map((e) => `${what}: "${text(e)}"`);
      return [`heading: "${text(document.querySelector('h1') ?? document.body)}"`, ...all('alert', '[role=alert]'), ...all('dialog', 'dialog[open]')].join(', ');
    })
    .catch((e) => `the page does not answer: ${e.message}`);
  return `${new Date().toISOString()} at ${page.url()}: ${seen}; complaints: ${page.complaints.join(' | ') || 'none'}; requests under way: ${[...page.underWay].join(' | ') || 'none'}`;
}
