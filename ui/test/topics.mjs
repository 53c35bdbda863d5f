// Finding a topic and a message in it, by keyboard.
import { until } from './browser.mjs';

export async function topics({ browser, base, open, check, must, clean, shot, has }) {
  if (!(await has('/api/topics'))) return;
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

  await check('internal topics are hidden until they are asked for', () =>
    visit('/topics', async (page) => {
      await page.getByRole('link', { name: 'events.in' }).waitFor();
      must((await page.getByRole('link', { name: 'myelin.state' }).count()) === 0, 'myelin.state is listed at once');
      await page.getByRole('checkbox', { name: /internal/ }).focus();
      await page.keyboard.press('Space');
      await page.getByRole('link', { name: 'myelin.state' }).waitFor();
    }),
  );

  await check('a message is found by partition and offset, and its neighbours follow', () =>
    visit('/topics/events', async (page) => {
      await page.getByRole('combobox', { name: 'Partition' }).selectOption('0');
      await page.getByRole('radio', { name: 'From offset' }).check({ force: true });
      await page.getByRole('spinbutton', { name: 'Offset' }).fill('40');
      await page.keyboard.press('Enter');
      const first = page.getByRole('region', { name: 'Messages' }).getByRole('row').nth(1).getByRole('button');
      await page.getByRole('button', { name: /offset\s*4\d$/ }).first().waitFor();
      for (const way of ['Later', 'Earlier']) {
        const before = await first.textContent();
        await page.getByRole('button', { name: way }).click();
        await until(`${way} shows others`, async () => (await first.count()) > 0 && (await first.textContent()) !== before);
      }
      await first.focus();
      await page.keyboard.press('Enter');
      const drawer = page.getByRole('dialog');
      await drawer.getByRole('region', { name: 'The value as JSON' }).waitFor();
      await clean(page);
      await shot(page, 'message-light', false);
      await page.keyboard.press('Escape');
      await drawer.waitFor({ state: 'detached' });
    }),
  );

  await check('an unknown topic says so', () =>
    visit('/topics/nothing.here', async (page) => {
      await page.getByRole('alert').waitFor();
      await clean(page);
    }),
  );

  await check('on a phone every page is behind “More”', () =>
    visit('/', async (page) => {
      await page.getByRole('button', { name: 'More' }).click();
      await clean(page);
      await page.getByRole('dialog').getByRole('link', { name: 'Topics' }).click();
      await page.getByRole('heading', { level: 1, name: 'Topics' }).waitFor();
    }, { width: 390, height: 844 }),
  );
}
