// What a new user does who misses events: finds why they are held, repairs them, looks at the effect, and sends them on.
import { until } from './browser.mjs';

export async function quarantine({ browser, base, open, check, must, clean, shot, has }) {
  if (!(await has('/api/quarantine/groups'))) return;
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
  const groups = async () => (await (await fetch(`${base}/api/quarantine/groups`)).json()).groups;
  const facts = (page, name) => page.locator('dl div').filter({ hasText: name }).getByRole('definition').textContent();

  await check('held orders are found from the quality page, repaired, and sent on', async () => {
    const held = (await groups()).find((g) => g.event === 'Order Completed' && g.code === 'required_missing' && g.waiting > 0);
    if (!held) return;
    await visit('/quality', async (page) => {
      await page.getByRole('button', { expanded: false }).filter({ hasText: 'Order Completed' }).first().click();
      await page.getByRole('link', { name: 'Repair these events' }).first().click();
      await page.getByRole('heading', { level: 1, name: /is missing/ }).waitFor();
      await clean(page);
      await page.getByRole('radio', { name: /Fill in the same value/ }).check();
      await page.getByRole('textbox', { name: /Value of/ }).fill('10');
      await page.getByText(/get through/).first().waitFor();
      await page.getByRole('cell', { name: 'missing' }).first().waitFor();
      await clean(page);
      await shot(page, 'cause-preview-light');
      await page.getByRole('button', { name: /^Repair and send/ }).click();
      await page.getByText(/got through/).waitFor();
      await clean(page);
      await shot(page, 'cause-sent-light');
      await until('something counts as sent on', async () => Number((await facts(page, 'Sent on')).replace(/\D/g, '')) > 0);
    });
  });

  await check('a suggested repair shows its effect before anything is sent', async () => {
    const held = (await groups()).find((g) => g.suggested.length > 0 && g.waiting > 0);
    if (!held) return;
    await visit(`/quarantine/${held.id}`, async (page) => {
      await page.getByRole('radio', { name: /suggested/ }).first().check();
      await page.getByText('gets through').first().waitFor();
      await clean(page);
      await shot(page, 'cause-suggested-dark');
    }, { theme: 'dark' });
  });

  await check('a cause is muted with a reason and comes back; discarding asks for one', async () => {
    const held = (await groups()).find((g) => g.waiting > 0 && !g.muted);
    if (!held) return;
    await visit(`/quarantine/${held.id}`, async (page) => {
      await page.getByRole('button', { name: 'Discard' }).click();
      const dialog = page.getByRole('dialog');
      must(await dialog.getByRole('button', { name: 'Discard' }).isDisabled(), 'discarding without a reason is possible');
      await clean(page);
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Mute' }).click();
      await dialog.getByRole('textbox', { name: /Why/ }).fill('known, the team is on it');
      await page.keyboard.press('Enter');
      await page.getByText(/Muted.*the team is on it/).waitFor();
      await page.getByRole('button', { name: 'Unmute' }).click();
      await page.getByRole('button', { name: 'Mute', exact: true }).waitFor();
    });
  });
}
