// A view is checked, stands still and goes on, and its page says in plain words what was left out of it.
import { patience, until } from './browser.mjs';

export async function upkeep({ browser, base, open, check, must, clean, shot, has, view }) {
  if (!(await has(`/api/views/${view}/ledger`))) return;

  const visit = async (run, prepare) => {
    const page = await open(browser);
    try {
      if (prepare) await prepare(page);
      await page.goto(`${base}/views/${view}`);
      await page.getByRole('heading', { name: 'Is it right?' }).waitFor();
      await run(page);
    } finally {
      await page.context().close();
    }
  };

  await check('a view is checked, paused and goes on from its page', () =>
    visit(async (page) => {
      const button = (name) => page.getByRole('button', { name, exact: true });
      await button('Check it').click();
      await page.getByText('Computed anew').first().waitFor({ timeout: 2 * patience });
      try {
        await button('Pause').click();
        await page.getByText('It stands still.').waitFor({ timeout: 2 * patience });
        await until('a paused view cannot be paused again', async () => (await button('Pause').count()) === 0);
        await shot(page, 'view-paused');
        await page.reload(); // what the page knows, it knows from the server
        await page.getByText('It stands still.').waitFor();
        await clean(page);
        await button('Let it go on').click();
        await page.getByText('It goes on where it stood.').waitFor({ timeout: 2 * patience });
        await button('Pause').waitFor();
        await clean(page);
      } finally {
        await fetch(`${base}/api/views/${view}/resume`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
      }
    }),
  );

  await check('the rows left out of a view are told in plain words', () =>
    visit(
      async (page) => {
        for (const words of ['Values that did not fit their column “total” and are empty', 'Events ahead of the clock', 'Rows that came too late'])
          await page.getByText(words).waitFor();
        for (const theme of ['light', 'dark']) {
          await page.emulateMedia({ colorScheme: theme });
          await shot(page, `view-ledger-${theme}`);
          await clean(page);
        }
      },
      (page) =>
        page.route(/\/ledger$/, (route) => {
          const row = { at: '2026-01-02T03:04:05Z', reason: 'total: "many" is no number', row: '', event: '{"messageId":"m1","event":"Order Completed","properties":{"total":"many"}}' };
          const body = { name: view, errors: 3, late: 1200, ahead: 2, misfits: [{ column: 'total', count: 3 }], errorRows: [row], lateRows: [{ ...row, reason: 'its window had closed' }] };
          return route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify(body) });
        }),
    ),
  );
}
