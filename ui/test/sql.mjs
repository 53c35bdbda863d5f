// Asking, mistakes in place, recipes, previews, and making a view, by keyboard.
import { readdir, readFile } from 'node:fs/promises';
import { state, until } from './browser.mjs';

export async function sql({ browser, base, open, check, must, clean, shot, has }) {
  if (!(await has('/api/sql/functions'))) return;
  const visit = async (path, run, options) => {
    const page = await open(browser, options);
    try {
      await page.goto(base + path);
      const editor = page.getByRole('textbox', { name: 'SQL' });
      await editor.waitFor();
      await run(page, async (text) => {
        await editor.focus();
        await page.keyboard.press('Control+a');
        await page.keyboard.insertText(text);
      });
      must(page.complaints.length === 0, page.complaints.join('\n'));
    } catch (e) {
      throw new Error(`${String(e.message ?? e).split('\n').slice(0, 8).join('\n')}\n${await state(page)}`);
    } finally {
      await page.context().close();
    }
  };
  const post = (path, body) => fetch(base + path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

  const folder = new URL('../src/pages/sql/recipes/', import.meta.url);
  for (const file of await readdir(folder)) {
    await check(`the recipe ${file} runs over the last hour`, async () => {
      const answer = await post('/api/sql/preview', { sql: await readFile(new URL(file, folder), 'utf8') });
      must(answer.ok, await answer.text());
    });
  }

  await check('SQL: Ctrl + Enter runs a question', () =>
    visit('/sql', async (page, write) => {
      await write('SELECT event, count(*) AS n FROM events GROUP BY event ORDER BY n DESC');
      await page.keyboard.press('Control+Enter');
      await page.getByRole('columnheader', { name: 'n', exact: true }).waitFor();
      await until('there are rows', async () => (await page.getByRole('row').count()) > 2);
      await clean(page);
      await shot(page, 'sql-answer-light');
    }),
  );

  await check('SQL: a mistake says line, column and hint while one types', () =>
    visit('/sql', async (page, write) => {
      await write('SELECT event\nFROM evnts');
      await page.getByText('Line 2, column 6:').waitFor();
      await page.getByText(/events/).first().waitFor();
      await clean(page);
      await shot(page, 'sql-mistake-light');
    }),
  );

  await check('SQL: completion knows relations, columns and functions', () =>
    visit('/sql', async (page, write) => {
      await write('SELECT ');
      await page.keyboard.insertText(' FROM order_completed');
      for (let i = 0; i < ' FROM order_completed'.length; i++) await page.keyboard.press('ArrowLeft');
      await page.keyboard.type('to');
      await page.getByRole('option', { name: /^total/ }).waitFor();
      await page.keyboard.press('Escape');
    }),
  );

  await check('SQL: a recipe becomes a view after a look at what it would show', () =>
    visit('/sql', async (page, write) => {
      await post('/api/query', { sql: 'DROP MATERIALIZED VIEW IF EXISTS page_test_view' });
      await page.getByRole('button', { name: 'How busy is it right now?' }).click();
      await write('SELECT window_start, count(*) AS n FROM tumble(events, ts, INTERVAL \'1 minute\') GROUP BY window_start');
      await page.getByRole('button', { name: 'Make it a view' }).click();
      await page.getByRole('radio', { name: 'How it runs' }).check({ force: true });
      await page.getByText('Cut time into windows').waitFor();
      await clean(page);
      await shot(page, 'sql-plan-dark');
      await write('CREATE MATERIALIZED VIEW page_test_view AS SELECT window_start, count(*) AS n FROM tumble(events, ts, INTERVAL \'1 minute\') GROUP BY window_start');
      await page.getByRole('button', { name: 'Create view' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('columnheader', { name: 'window_start' }).waitFor();
      await clean(page);
      await dialog.getByRole('button', { name: 'Create view' }).click();
      await page.getByRole('heading', { level: 1, name: 'page_test_view' }).waitFor();
      await page.getByRole('heading', { name: 'Rows', exact: true }).waitFor();
      const gone = await post('/api/query', { sql: 'DROP MATERIALIZED VIEW page_test_view' });
      must(gone.ok, await gone.text());
    }, { theme: 'dark' }),
  );

  await check('SQL: the look before a view is made is at the text that is there, also when the server takes its time to read it', () =>
    visit('/sql', async (page, write) => {
      const of = (name) => `CREATE MATERIALIZED VIEW ${name} AS SELECT event, count(*) AS n FROM events GROUP BY event`;
      await write(of('page_test_before'));
      await page.getByRole('button', { name: 'Create view' }).waitFor();
      let answer;
      const held = new Promise((resolve) => (answer = resolve));
      await page.route('**/api/sql/explain', (r) => held.then(() => r.continue()).catch(() => {}));
      const asked = page.waitForRequest('**/api/sql/explain');
      await write(of('page_test_now'));
      await page.getByRole('button', { name: 'Create view' }).click();
      await asked;
      must((await page.getByRole('dialog').count()) === 0, 'the dialog shows what it knows of the text before');
      answer();
      await page.getByRole('dialog').getByRole('heading', { name: 'Create the view page_test_now?' }).waitFor();
    }),
  );
}
