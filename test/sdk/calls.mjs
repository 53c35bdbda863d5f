/** The i-th call of a known sequence, as [method, parameters] of Segment's server SDKs: all six types in turn. */
export function call(i, userId) {
  const context = { campaign: { source: 'news', medium: 'email', name: 'autumn' } };
  switch (i % 6) {
    case 0:
      return ['identify', { userId, traits: { email: `${userId}@example.com`, plan: 'pro', n: i }, context }];
    case 1:
      return ['page', { userId, name: 'Home', category: 'Shop', properties: { url: 'https://shop.example/', n: i }, context }];
    case 2:
      return ['screen', { anonymousId: `anon-${i}`, name: 'Cart', properties: { n: i }, context }];
    case 3:
      return ['group', { userId, groupId: 'g-1', traits: { name: 'Example', n: i }, context }];
    case 4:
      return ['alias', { userId, previousId: `anon-${i}` }];
    default:
      return ['track', { userId, event: 'Order Completed', properties: { order_id: `o-${i}`, total: 12.5, currency: 'EUR', n: i }, context }];
  }
}
