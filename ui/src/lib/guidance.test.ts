import { expect, test } from 'vitest';
import { guidance } from './guidance';

test('pages that a text names are links, each once', () => {
  expect(guidance('Ask the team of app. Repair and replay them on the Quarantine page. The Quarantine page keeps them.')).toEqual([
    { text: 'Ask the team of app. Repair and replay them on ', href: '' },
    { text: 'the Quarantine page', href: '/quarantine' },
    { text: '. The Quarantine page keeps them.', href: '' },
  ]);
  expect(guidance('If this is meant to be so, add it to the tracking plan. Otherwise see the Quality page.', { '/plan': '/plan?event=A' }).filter((p) => p.href)).toEqual([
    { text: 'the tracking plan', href: '/plan?event=A' },
    { text: 'the Quality page', href: '/quality' },
  ]);
  expect(guidance('Nothing to link.')).toEqual([{ text: 'Nothing to link.', href: '' }]);
  expect(guidance('')).toEqual([]);
});
