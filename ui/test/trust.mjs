// The plan edited by a form, lineage by keyboard, and incidents handled.
export async function trust({ browser, base, open, check, must, clean, shot, has }) {
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

  if (await has('/api/proposals')) {
    await check('the plan is edited with a form, reviewed against real events, and proposed', () =>
      visit('/plan?event=Order%20Completed', async (page) => {
        await page.getByRole('button', { name: 'Edit currency' }).click();
        const dialog = page.getByRole('dialog');
        const values = dialog.getByRole('textbox', { name: /Only these values/ });
        must((await values.inputValue()) === 'EUR\nUSD\nGBP', `the form shows ${await values.inputValue()}`);
        await values.fill('EUR');
        await clean(page);
        await shot(page, 'plan-edit-light', false);
        await dialog.getByRole('button', { name: 'Keep in the draft' }).click();
        await page.getByRole('button', { name: 'Review and propose' }).click();
        await dialog.getByText('Breaks', { exact: true }).first().waitFor();
        await dialog.getByText('Held back after the change').waitFor();
        await dialog.getByText(/quarantine \d/).first().waitFor();
        await clean(page);
        await shot(page, 'plan-review-light', false);
        await dialog.getByRole('textbox', { name: 'Title' }).fill('Only euros');
        await dialog.getByRole('button', { name: 'Propose' }).click();
        await dialog.getByText(/^Proposed/).waitFor();
        await dialog.getByRole('button', { name: 'Done' }).click();
        await page.goto(`${base}/proposals`);
        await page.getByRole('button', { name: 'Only euros' }).first().click();
        await dialog.getByText(/enum: \[EUR\]/).waitFor();
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
        await page.getByRole('row').nth(1).waitFor();
        await page.getByRole('button', { name: 'Check the seals' }).click();
        await page.getByText(/are as they were written/).waitFor();
        await clean(page);
      }),
    );
  }

  if (await has('/api/lineage')) {
    await check('lineage: a view shows what its columns are made of', () =>
      visit('/lineage', async (page) => {
        await page.getByRole('button', { name: /^campaign_revenue/ }).focus();
        await page.keyboard.press('Enter');
        const about = page.getByRole('complementary', { name: 'About campaign_revenue' });
        await about.getByText(/from Order Completed · total/).first().waitFor();
        await clean(page);
        await shot(page, 'lineage-chosen-light');
      }),
    );
  }

  if (await has('/api/incidents')) {
    const all = (await (await fetch(`${base}/api/incidents?state=all`)).json()).incidents ?? [];
    const one = all.find((i) => i.state === 'open');
    if (!one) return;
    await check('an incident says where it comes from, and somebody takes it on', () =>
      visit(`/incidents/${one.id}`, async (page) => {
        await page.getByRole('heading', { name: 'Where it comes from' }).waitFor();
        await clean(page);
        await shot(page, 'incident-light');
        await page.getByRole('button', { name: 'Take it on' }).click();
        await page.getByRole('dialog').getByRole('textbox').fill('looking');
        await page.keyboard.press('Enter');
        await page.getByText('Somebody is on it').waitFor();
      }),
    );
  }
}
