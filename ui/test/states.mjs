// The states that a running shop does not show: empty, broken, away, moving. The API's answers are replaced in the browser.
import { pressUnless, until } from './browser.mjs';

const paths = ['/', '/events', '/quality', '/views', '/deliveries'];

const empty = {
  '/api/events': { events: null },
  '/api/quality': { totals: { checked: 0, valid: 0, warn: 0, fixed: 0, quarantined: 0 }, groups: null },
  '/api/views': { views: null },
  '/api/sinks': { sinks: null },
  '/api/problems': { problems: null },
};

const broken = { error: { code: 'starting', message: 'Myelin is starting', hint: 'It answers in a moment.' } };

export async function states({ browser, base, open, check, must, clean, shot, view }) {
  const name = (path) => (path === '/' ? 'overview' : path.slice(1));

  const visit = async (path, prepare, run, options) => {
    const page = await open(browser, options);
    try {
      await prepare(page);
      await page.goto(base + path);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await run(page);
    } finally {
      await page.context().close();
    }
  };
  const answer = (status, body) => (route) => route.fulfill({ status, contentType: 'application/json', body: JSON.stringify(body) });

  async function makeEmpty(page) {
    const overview = await (await fetch(`${base}/api/overview`)).json();
    overview.balance = { in: 0, accepted: 0, quarantined: 0, duplicates: 0, pending: 0 };
    for (const s of overview.stages) Object.assign(s, { in: 0, out: 0, ratePerSec: 0, lag: 0, deadLetters: 0, errors: 0, series: [] });
    await page.route(/\/api\//, (route) => {
      const { pathname } = new URL(route.request().url());
      if (pathname.endsWith('/live')) return route.abort();
      if (pathname === '/api/overview') return answer(200, overview)(route);
      return empty[pathname] ? answer(200, empty[pathname])(route) : route.continue();
    });
  }

  for (const path of paths) {
    await check(`${name(path)} with nothing in it says what to do next`, () =>
      visit(path, makeEmpty, async (page) => {
        const advice = { '/': 'Send your first event', '/events': 'No events yet', '/quality': 'Nothing checked yet', '/views': 'No views yet', '/deliveries': 'No sinks yet' }[path];
        await page.getByRole('heading', { name: advice }).waitFor();
        await shot(page, `empty-${name(path)}-light`);
        await clean(page);
      }),
    );
  }

  for (const path of [...paths, `/views/${view}`]) {
    await check(`${path} says so when the server answers with an error, and comes back by "Try again"`, () =>
      visit(path, (page) => page.route(/\/api\//, answer(503, broken)), async (page) => {
        await page.getByRole('heading', { name: 'Myelin is starting' }).first().waitFor();
        await clean(page);
        if (path === '/events') await shot(page, 'error-events-light');
        await page.unroute(/\/api\//);
        // Pages that refresh themselves may be back before the click.
        const broken = page.getByRole('heading', { name: 'Myelin is starting' });
        await pressUnless(page.getByRole('button', { name: 'Try again' }).first(), { waitFor: () => broken.first().waitFor({ state: 'detached' }) });
        await until('the page is back', async () => (await broken.count()) === 0);
      }),
    );
  }

  await check('a lost connection is said and made up for', () =>
    visit('/', (page) => page.route(/\/api\/overview\/live/, (route) => route.abort()), async (page) => {
      await page.getByText(/Connection lost\. Next try/).waitFor();
      await clean(page);
      await shot(page, 'lost-connection-light', false);
      await page.unroute(/\/api\/overview\/live/);
      const live = page.getByText('Live', { exact: true }).first();
      await pressUnless(page.getByRole('button', { name: 'Try now' }), live);
      await live.waitFor();
    }),
  );

  await check('broken project files show in a banner with file, line and hint', () =>
    visit('/', (page) => page.route(/\/api\/problems/, answer(200, { problems: [{ file: 'sql/x.sql', line: 4, column: 17, message: 'column "campagin" does not exist', hint: 'Did you mean "campaign"?' }] })), async (page) => {
      await page.getByText(/1 file could not be used/).click();
      await page.getByText('sql/x.sql:4:17').waitFor();
      await page.getByText('Did you mean "campaign"?').waitFor();
      await clean(page);
      await shot(page, 'problems-light', false);
    }),
  );

  await check('an unknown address and an unknown view lead back', async () => {
    await visit('/nowhere', async () => {}, async (page) => {
      await page.getByRole('link', { name: 'Go to the overview' }).waitFor();
      await clean(page);
    });
    await visit('/views/no_such_view', async () => {}, async (page) => {
      await page.getByRole('heading', { name: 'There is no view named no_such_view' }).waitFor();
      await clean(page);
      await shot(page, 'missing-view-light', false);
    });
  });

  await check('the river moves, and stands still for people who ask for less motion', async () => {
    const moving = (page) => page.evaluate(() => document.getAnimations().filter((a) => a.playState === 'running' && a.effect?.getComputedTiming().iterations === Infinity).length);
    await visit('/', async () => {}, async (page) => {
      await page.getByRole('heading', { name: 'Collect' }).waitFor();
      await until('something moves', async () => (await moving(page)) > 0);
      await shot(page, 'overview-moving-light', false);
    }, { motion: 'no-preference' });
    await visit('/', async () => {}, async (page) => {
      await page.getByRole('heading', { name: 'Collect' }).waitFor();
      must((await moving(page)) === 0, 'something moves');
    });
  });
}
