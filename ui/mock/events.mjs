// Makes the events of a small shop, three in a hundred broken in the ways that real ones are.
let seed = 20260306;

export function random() {
  seed = (seed * 1664525 + 1013904223) >>> 0;
  return seed / 2 ** 32;
}
export const pick = (xs) => xs[Math.floor(random() * xs.length)];
const id = () => Math.floor(random() * 2 ** 32).toString(16).padStart(8, '0') + Date.now().toString(16).slice(-6);

export const campaigns = ['spring_sale', 'newsletter', 'brand_search', 'retargeting', null];
const products = [
  ['Trail runner', 89.9],
  ['Rain jacket', 129],
  ['Merino socks', 14.5],
  ['Day pack 22 l', 74.95],
  ['Headlamp', 39],
  ['Camp mug', 12.5],
];
const sources = ['shop-web', 'shop-web', 'shop-web', 'shop-ios', 'shop-ios', 'backend'];
const pages = ['/', '/sale', '/jackets', '/shoes', '/cart', '/checkout'];

const kinds = [
  ['page', null, 30],
  ['track', 'Product Viewed', 28],
  ['track', 'Products Searched', 8],
  ['track', 'Product Added', 12],
  ['track', 'Checkout Started', 5],
  ['track', 'Order Completed', 4],
  ['track', 'Payment Failed', 1.5],
  ['identify', null, 4],
  ['screen', null, 6],
];
const weight = kinds.reduce((a, k) => a + k[2], 0);

function kind() {
  let at = random() * weight;
  for (const k of kinds) if ((at -= k[2]) <= 0) return k;
  return kinds[0];
}

function properties(name) {
  const [product, price] = pick(products);
  switch (name) {
    case 'Products Searched':
      return { query: pick(['rain jacket', 'wool socks', 'tent 2p', 'gift card']) };
    case 'Order Completed': {
      const n = 1 + Math.floor(random() * 3);
      const lines = Array.from({ length: n }, () => pick(products));
      const total = Math.round(lines.reduce((a, p) => a + p[1], 0) * 100) / 100;
      return {
        order_id: `o_${id().slice(0, 8)}`,
        total,
        currency: pick(['EUR', 'EUR', 'GBP', 'USD']),
        products: lines.map(([n2, p]) => ({ name: n2, price: p, quantity: 1 })),
      };
    }
    case 'Payment Failed':
      return { reason: pick(['card_declined', 'expired_card']), card_bin: pick(['412345', '512399']), amount: 1 };
    case 'Checkout Started':
      return { cart_value: Math.round(price * 2 * 100) / 100, items: 2 };
    default:
      return { product, price, currency: 'EUR' };
  }
}

const v = (code, path, expected, got, severity) => ({ code, path, expected, got, severity });

/** Breaks an event the way a forgetful developer would; says what the gate finds. */
function breakage(e) {
  const p = e.json.properties;
  const r = random();
  if (e.event === 'Order Completed' && r < 0.1) {
    delete p.total;
    return ['quarantined', [v('required_missing', '/properties/total', 'number', '', 'error')]];
  }
  if (e.event === 'Order Completed' && r < 0.22) {
    const was = JSON.stringify(String(p.total));
    return ['fixed', [v('type_mismatch', '/properties/total', 'number', was, 'info')]];
  }
  if (e.event === 'Product Added' && r < 0.05) {
    e.event = e.json.event = 'product added';
    return ['quarantined', [v('misspelled_event', '/event', 'Product Added', '"product added"', 'error')]];
  }
  if (e.event === 'Product Viewed' && r < 0.03) {
    p.discount_code = 'WELCOME10';
    return ['warn', [v('additional_property', '/properties/discount_code', '', 'string', 'warn')]];
  }
  if (e.event === 'Product Viewed' && r < 0.036) {
    e.event = e.json.event = 'Heatmap Snapshot';
    return ['quarantined', [v('unplanned_event', '/event', '', '"Heatmap Snapshot"', 'error')]];
  }
  if (e.event === 'Checkout Started' && r < 0.04) {
    p.cart_value = -5;
    return ['quarantined', [v('range_violation', '/properties/cart_value', '>= 0', '-5', 'error')]];
  }
  return ['valid', []];
}

let offset = 41_200;

export function makeEvent(at = Date.now()) {
  const [type, name] = kind();
  const user = `user_${1 + Math.floor(random() * 900)}`;
  const known = random() < 0.7;
  const source = type === 'screen' ? 'shop-ios' : name === 'Order Completed' ? 'backend' : pick(sources);
  const campaign = pick(campaigns);
  const times = { timestamp: new Date(at - 40 - random() * 400).toISOString(), receivedAt: new Date(at).toISOString() };
  const json = {
    messageId: `ajs-${id()}`,
    type,
    ...(name ? { event: name } : type === 'page' || type === 'screen' ? { name: pick(['Home', 'Sale', 'Cart']) } : {}),
    ...(known ? { userId: user } : {}),
    anonymousId: `anon-${user.slice(5)}`,
    ...times,
    context: {
      ...(campaign ? { campaign: { name: campaign, source: 'google' } } : {}),
      page: { path: pick(pages), url: 'https://shop.example/' },
      library: { name: source === 'shop-ios' ? 'analytics-swift' : 'analytics.js', version: '4.1.2' },
    },
    ...(type === 'identify' ? { traits: { plan: pick(['free', 'club']), country: pick(['DE', 'ES', 'UK']) } } : {}),
    ...(name ? { properties: properties(name) } : {}),
  };
  const row = {
    messageId: json.messageId,
    type,
    event: name ?? '',
    userKey: known ? user : json.anonymousId,
    source,
    status: 'valid',
    ...times,
    violations: [],
    partition: Math.floor(random() * 4),
    offset: offset++,
    json,
  };
  if (name) [row.status, row.violations] = breakage(row);
  json.myelin = { source, protocol: 'segment', plan: 'shop', schema: '1-0-0', status: row.status, violations: row.violations };
  return { row, campaign };
}
