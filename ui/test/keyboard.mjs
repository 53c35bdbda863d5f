// What a person without a mouse does. Everything is found by role and name.
import { until } from './browser.mjs';

export async function keyboard({ browser, base, open, check, must, clean, shot, view }) {
  const visit = async (path, run, options) => {
    const page = await open(browser, options);
    try {
      await page.goto(base + path);
      await run(page);
      must(page.complaints.length === 0, page.complaints.join('\n'));
    } finally {
      await page.context().close();
    }
  };
  const focused = (page) => page.evaluate(() => document.activeElement?.textContent?.trim().replace(/\s+/g, ' ') ?? '');

  await check('the first Tab reaches the skip link, and it leads to the content', () =>
    visit('/', async (page) => {
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.keyboard.press('Tab');
      must((await focused(page)) === 'Skip to content', `Tab reached "${await focused(page)}"`);
      await page.keyboard.press('Enter');
      await until('the skip link leads to the content', async () => (await focused(page)) === 'Overview');
    }),
  );

  await check('landmarks: one banner, one main, a named navigation', () =>
    visit('/', async (page) => {
      await page.getByRole('heading', { level: 1 }).waitFor();
      must((await page.getByRole('main').count()) === 1, 'not one main');
      must((await page.getByRole('banner').count()) === 1, 'not one banner');
      must((await page.getByRole('navigation', { name: 'Main' }).count()) === 1, 'no navigation named Main');
    }),
  );

  await check('a link in the navigation moves to the page and its title takes the focus; Back comes back', () =>
    visit('/', async (page) => {
      const link = page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Quality' });
      await link.focus();
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { level: 1, name: 'Quality' }).waitFor();
      must(new URL(page.url()).pathname === '/quality', page.url());
      await page.waitForFunction(() => document.activeElement?.textContent === 'Quality');
      await until('the link says that it is current', async () => (await link.getAttribute('aria-current')) === 'page');
      await page.goBack();
      await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    }),
  );

  await check('theme: arrow keys choose, and the choice outlives a reload', () =>
    visit('/', async (page) => {
      const dark = () => page.evaluate(() => document.documentElement.dataset.theme);
      await page.getByRole('radio', { name: 'As the system' }).focus();
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('ArrowRight');
      await until('the theme is dark', async () => (await dark()) === 'dark');
      await page.reload();
      must((await dark()) === 'dark', 'after a reload the theme is gone');
      await until('the toggle remembers', () => page.getByRole('radio', { name: 'Dark' }).isChecked());
    }),
  );

  await check('an event opens with Enter, shows what is wrong, and Escape gives the focus back', () =>
    visit('/events?status=quarantined', async (page) => {
      const first = page.getByRole('row').nth(1).getByRole('button');
      await first.focus();
      await page.keyboard.press('ArrowDown');
      const name = await focused(page);
      await page.keyboard.press('Enter');
      const drawer = page.getByRole('dialog');
      await drawer.getByRole('heading', { name: 'What is not as planned' }).waitFor();
      await clean(page);
      await shot(page, 'event-drawer-light', false);
      await page.keyboard.press('Escape');
      await drawer.waitFor({ state: 'detached' });
      await until(`the focus is on "${name}"`, async () => (await focused(page)) === name);
    }),
  );

  await check('events pause and resume by keyboard, and the filter is in the address', () =>
    visit('/events', async (page) => {
      await page.getByRole('row').nth(3).waitFor();
      await page.getByRole('button', { name: 'Pause' }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Resume', pressed: true }).waitFor();
      await page.getByText(/^Paused\./).waitFor();
      await page.getByRole('radio', { name: 'All' }).focus();
      await page.keyboard.press('ArrowRight');
      await page.waitForURL(/status=valid/);
    }),
  );

  await check('a problem on the quality page unfolds by keyboard with sample and advice', () =>
    visit('/quality', async (page) => {
      const first = page.getByRole('button', { expanded: false }).first();
      await first.focus();
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'What to do next' }).waitFor();
      await page.getByRole('region', { name: /Sample event/ }).waitFor();
      await clean(page);
      await shot(page, 'quality-open-light');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'What to do next' }).waitFor({ state: 'detached' });
    }),
  );

  await check('a view is reached, sorted and read point by point by keyboard', () =>
    visit('/views', async (page) => {
      await page.getByRole('link', { name: view }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Rows', exact: true }).waitFor();
      const header = page.getByRole('region', { name: 'Rows' }).getByRole('columnheader').last();
      await header.getByRole('button').focus();
      await page.keyboard.press('Enter');
      await until('the header says how it sorts', async () => ['ascending', 'descending'].includes(await header.getAttribute('aria-sort')));
      const chart = page.getByRole('group', { name: /^Chart: / });
      if ((await chart.count()) > 0) {
        await chart.focus();
        await page.keyboard.press('ArrowLeft');
        await page.getByRole('status').filter({ hasText: /\d: / }).first().waitFor({ state: 'attached' });
        await shot(page, 'view-chart-cursor-light', false);
      }
    }),
  );

  await check('dead letters: the question before replay can be left with Escape', () =>
    visit('/deliveries', async (page) => {
      await page.getByRole('row').nth(1).waitFor();
      const replay = page.getByRole('button', { name: /Replay/ });
      if (await replay.isDisabled()) return;
      await replay.focus();
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').getByRole('button', { name: 'Send again' }).waitFor();
      await clean(page);
      await shot(page, 'replay-dialog-light', false);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }),
  );

  await check('a delivery opens with its payload', () =>
    visit('/deliveries', async (page) => {
      await page.getByRole('row').nth(1).getByRole('button').focus();
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').getByRole('region', { name: 'Payload as JSON' }).waitFor();
      await clean(page);
      await shot(page, 'delivery-drawer-dark', false);
    }, { theme: 'dark' }),
  );
}
