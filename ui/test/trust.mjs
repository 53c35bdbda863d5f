// The plan edited by a form, lineage by keyboard, and incidents handled.
import { until } from './browser.mjs';
import { handle, incidentList, incidents } from '../mock/incidents.mjs';

export async function trust({ browser, base, open, check, must, clean, shot, has }) {
  const visit = async (path, ...rest) => {
    const prepare = typeof rest[1] === 'function' ? rest.shift() : null;
    const [run, options] = rest;
    const page = await open(browser, options);
    try {
      await prepare?.(page);
      await page.goto(base + path);
      await run(page);
      must(page.complaints.length === 0, page.complaints.join('\n'));
    } finally {
      await page.context().close();
    }
  };

  if (await has('/api/proposals')) {
    await check('the plan is edited with a form, reviewed against real events, and proposed', () =>
      visit('/plan?event=Order%20Completed', async (page) => {
        await page.getByRole('button', { name: 'Edit total' }).click();
        const dialog = page.getByRole('dialog');
        const least = dialog.getByRole('textbox', { name: 'At least' });
        await until('the form shows the plan', async () => (await least.inputValue()) === '0');
        await least.fill('100');
        await clean(page);
        await shot(page, 'plan-edit-light', false);
        await dialog.getByRole('button', { name: 'Keep in the draft' }).click();
        await page.getByRole('button', { name: 'Review and propose' }).click();
        await dialog.getByText('Breaks', { exact: true }).first().waitFor();
        await dialog.getByText('Held back after the change').waitFor();
        await dialog.getByText(/quarantine \d/).first().waitFor();
        await clean(page);
        await shot(page, 'plan-review-light', false);
        await dialog.getByRole('textbox', { name: 'Title' }).fill('Orders of a hundred');
        await dialog.getByRole('button', { name: 'Propose' }).click();
        await dialog.getByText(/^Proposed/).waitFor();
        await dialog.getByRole('button', { name: 'Done' }).click();
        await page.goto(`${base}/proposals`);
        await page.getByRole('button', { name: 'Orders of a hundred' }).first().click();
        await dialog.getByText(/minimum: 100/).waitFor();
        await clean(page);
        await shot(page, 'proposal-light', false);
        await dialog.getByRole('button', { name: 'Withdraw' }).click();
        await dialog.getByText('Withdrawn').waitFor();
      }),
    );
  }

  if (await has('/api/audit')) {
    await check('the audit log says what was done, and that its seals hold', () =>
      visit('/audit', async (page) => {
        await page.getByRole('region', { name: 'Entries' }).waitFor();
        const whole = page.getByText(/as (they were|it was) written|empty and whole/);
        await whole.waitFor();
        await page.getByRole('button', { name: 'Check again' }).click();
        await whole.waitFor();
        await clean(page);
      }),
    );
  }

  if (await has('/api/lineage')) {
    await check('lineage by keyboard: a view shows what its columns are made of, a column only its own way, and the list says the same', () =>
      visit('/lineage', async (page) => {
        await page.getByRole('button', { name: /^campaign_revenue/ }).focus();
        await page.keyboard.press('Enter');
        const about = page.getByRole('complementary', { name: 'About campaign_revenue' });
        await about.getByText(/from Order Completed · total/).first().waitFor();
        await until('what has nothing to do with it is gone', async () => (await page.getByRole('button', { name: /^abandoned_carts/ }).count()) === 0);
        await clean(page);
        await shot(page, 'lineage-chosen-light');
        await page.getByRole('button', { name: /^revenue ?, column of campaign_revenue/ }).press('Enter');
        await page.getByText(/What feeds revenue/).waitFor();
        await until('other columns are gone', async () => (await page.getByRole('button', { name: /^orders ?, column/ }).count()) === 0);
        await page.getByRole('radio', { name: 'List' }).check({ force: true });
        await page.getByRole('row', { name: /campaign_revenue.*view/ }).waitFor();
        await page.getByRole('button', { name: 'Show everything' }).click();
        await page.getByRole('row', { name: /abandoned_carts.*view.*every event/ }).waitFor();
        await page.getByRole('row', { name: /^Product Viewed event [\d,]+ held back/ }).waitFor();
        await clean(page);
      }),
    );
  }

  if (await has('/api/incidents')) await incidentsHandled({ check, visit, must, clean, shot });
}

// A shop that runs well has no incidents, so made-up ones stand in the browser.
async function incidentsHandled({ check, visit, must, clean, shot }) {
  async function standIn(page) {
    const all = incidents();
    await page.route(/\/api\/incidents/, (route) => {
      const url = new URL(route.request().url());
      const send = (body) => route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify(body) });
      const [, id, verb] = /^\/api\/incidents\/([^/]+)(?:\/(\w+))?$/.exec(url.pathname) ?? [];
      if (!id) return send(incidentList(all, url.searchParams.get('state') ?? ''));
      if (id === 'live') return route.abort();
      const one = all.find((i) => i.id === id);
      if (!verb) return send(one);
      const { comment, until } = route.request().postDataJSON();
      return send(handle(one, verb, comment, until));
    });
  }

  await check('an incident is found on the overview, says where it comes from and what it reaches, and is acknowledged, muted and resolved', () =>
    visit('/', standIn, async (page) => {
      await page.getByRole('link', { name: /^See what changed/ }).first().click();
      await page.getByRole('heading', { level: 1, name: /fell by 76 %/ }).waitFor();
      await page.getByText('98% of what is missing').waitFor();
      await page.getByRole('link', { name: 'campaign_revenue' }).waitFor();
      await page.getByRole('group', { name: /Release 4\.2/ }).focus();
      await page.keyboard.press('End');
      await page.getByRole('status').filter({ hasText: /came, expected/ }).waitFor();
      await clean(page);
      await shot(page, 'incident-light');
      const dialog = page.getByRole('dialog');
      await page.getByRole('button', { name: 'Acknowledge' }).click();
      await dialog.getByRole('textbox').fill('the app team looks');
      await page.keyboard.press('Enter');
      await page.getByText('local is on it').waitFor();
      await page.getByText(/acknowledged it: the app team looks/).waitFor();
      await page.getByRole('button', { name: 'Mute' }).click();
      await dialog.getByRole('radio', { name: '1 week' }).check({ force: true });
      await clean(page);
      await dialog.getByRole('button', { name: 'Mute' }).click();
      await page.getByRole('button', { name: 'Unmute' }).waitFor();
      await page.getByRole('button', { name: 'Resolve' }).click();
      await dialog.getByRole('button', { name: 'Resolve' }).click();
      await page.getByText('Resolved', { exact: true }).waitFor();
      await until('a resolved incident cannot be handled any more', async () => (await page.getByRole('button', { name: /Mute|Resolve|Acknowledge/ }).count()) === 0);
    }),
  );

  await check('incidents on a phone: the list by state, and bad events to look at', () =>
    visit('/incidents', standIn, async (page) => {
      await page.getByRole('heading', { name: /lost “currency”/ }).waitFor();
      await clean(page);
      await shot(page, 'incidents-dark-390');
      await page.getByRole('radio', { name: /^Muted/ }).check({ force: true });
      await page.getByRole('heading', { name: 'No incident is muted' }).waitFor();
      await page.getByRole('button', { name: 'Show all that go on' }).click();
      await page.getByRole('link', { name: /lost “currency”/ }).click();
      await page.getByRole('heading', { name: 'Example 1 of 3' }).waitFor();
      await page.getByRole('button', { name: 'Next example' }).click();
      await page.getByRole('heading', { name: 'Example 2 of 3' }).waitFor();
      await clean(page);
      await shot(page, 'incident-dark-390');
    }, { theme: 'dark', width: 390, height: 844 }),
  );
}
