import { expect, test } from 'vitest';
import { PlanDraft } from './plan-edit';

const file = `# What the teams agreed on.
name: shop
events:
  Order Completed:
    version: 1-0-0
    owner: growth
    properties:
      # the key of the order
      order_id: {type: string, required: true, maxLength: 64}
      total: {type: number, required: true, minimum: 0, on_error: {coerce: number}}
      currency: {type: string, enum: [EUR, USD]}
`;

test('a form shows what the file says', () => {
  const d = new PlanDraft(file);
  expect(d.event('Order Completed')).toEqual({ name: 'Order Completed', owner: 'growth', description: '', version: '1-0-0' });
  expect(d.property('Order Completed', 'total')).toMatchObject({ type: 'number', required: true, minimum: '0', maximum: '', coerce: true });
  expect(d.property('Order Completed', 'currency').values).toBe('EUR\nUSD');
});

test('an untouched file stays as it is, and one edit is one changed line', () => {
  const d = new PlanDraft(file);
  expect(d.text).toBe(file);
  d.setProperty('Order Completed', 'currency', { ...d.property('Order Completed', 'currency'), values: 'EUR\nUSD\nGBP', required: true });
  const changed = d.text.split('\n').filter((l) => !file.split('\n').includes(l));
  expect(changed).toEqual(['      currency: {type: string, enum: [EUR, USD, GBP], required: true}']);
  expect(d.text).toContain('# the key of the order');
});

test('properties and events are added, renamed and removed', () => {
  const d = new PlanDraft(file);
  d.setProperty('Order Completed', '', { name: 'coupon', type: 'string', required: false, description: 'as typed', values: '', minimum: '', maximum: '20', coerce: false });
  d.setProperty('Order Completed', 'total', { ...d.property('Order Completed', 'total'), name: 'amount', coerce: false });
  d.removeProperty('Order Completed', 'currency');
  d.setEvent('', { name: 'Order Refunded', owner: 'growth', description: 'Money went back.', version: '' });
  expect(d.text).toContain('coupon: {type: string, description: as typed, maxLength: 20}');
  expect(d.text).toContain('amount: {type: number, required: true, minimum: 0}');
  expect(d.text).not.toContain('currency');
  expect(d.event('Order Refunded').version).toBe('1-0-0');
});
