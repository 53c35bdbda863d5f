// Repairs of events in quarantine as choices that people understand, and back into what the server does.
import type { QuarantineGroup, ReplayRepair } from './schema';
import { fieldName } from './violations';

/** What a choice asks for before it can be tried. */
export type Asks = 'nothing' | 'value' | 'field' | 'event' | 'sql';

export interface Choice {
  id: string;
  title: string;
  help: string;
  asks: Asks;
  /** What the field that asks is called. */
  label?: string;
  repairs: (input: string) => ReplayRepair[];
}

/** "upper" → "in capitals". */
const cases: Record<string, { title: string; help: string }> = {
  number: { title: 'Read the text as a number', help: '"12.50" becomes 12.5.' },
  integer: { title: 'Read it as a whole number', help: '"3" becomes 3.' },
  string: { title: 'Write it as text', help: '42 becomes "42".' },
  boolean: { title: 'Read it as yes or no', help: '"true" becomes true.' },
  array: { title: 'Make it a list', help: 'One value becomes a list with that value.' },
  trim: { title: 'Cut the blanks around it', help: '" EUR " becomes "EUR".' },
  upper: { title: 'Write it in capitals', help: '"eur" becomes "EUR".' },
  lower: { title: 'Write it in small letters', help: '"EUR" becomes "eur".' },
};

/** A value as typed: a number or true/false where the plan wants one, else text. */
export function typed(input: string, expected: string): unknown {
  const t = input.trim();
  if (/^(number|integer|a number|a whole number)/.test(expected) && t !== '' && Number.isFinite(Number(t))) return Number(t);
  if (/^(boolean|true or false)/.test(expected) && /^(true|false|yes|no)$/i.test(t)) return /^(true|yes)$/i.test(t);
  return t;
}

/** A field as people write it, as a pointer: "total" or "products › 1 › price" next to where the trouble is. */
export function pointer(name: string, beside: string): string {
  if (name.startsWith('/')) return name;
  const parent = beside.replace(/\/[^/]*$/, '') || '/properties';
  return `${parent}/${name.trim().replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

const last = (path: string): string => (path.split('/').at(-1) ?? '').replaceAll('~1', '/').replaceAll('~0', '~');

/** What can be done about one cause, the likely ones first. */
export function choicesFor(g: Pick<QuarantineGroup, 'code' | 'path' | 'expected' | 'suggested'>): Choice[] {
  const field = fieldName(g.path);
  const out: Choice[] = [];
  const suggested = new Set<string>();
  for (const [i, r] of g.suggested.entries()) {
    const known = said(r);
    if (r.op === 'coerce' && r.to) suggested.add(r.to);
    out.push({ id: `suggested-${i}`, title: known.title, help: known.help, asks: 'nothing', repairs: () => [r] });
  }
  const names = ['unplanned_event', 'misspelled_event'].includes(g.code);
  if (names) {
    out.push({ id: 'event', title: 'Give it the name of a planned event', help: 'Choose the event that this really is.', asks: 'event', label: 'Planned event', repairs: (to) => [{ op: 'rename_event', to }] });
  } else if (g.path && g.path !== '/') {
    const missing = g.code === 'required_missing' || g.code === 'no_id';
    if (missing) {
      out.push({ id: 'value', title: `Fill in the same value everywhere`, help: `Events without “${field}” get this value.`, asks: 'value', label: `Value of “${field}”`, repairs: (v) => [{ op: 'default', path: g.path, value: typed(v, g.expected) }] });
      out.push({ id: 'field', title: 'Take it from another field', help: 'The sender used another name for it.', asks: 'field', label: 'Name of that field', repairs: (f) => [{ op: 'rename', path: pointer(f, g.path), to: last(g.path) }] });
      out.push({ id: 'sql', title: 'Compute it from the rest of the event', help: 'An expression in SQL.', asks: 'sql', label: `Expression for “${field}”`, repairs: (sql) => [{ op: 'default', path: g.path, sql }] });
    } else {
      const wanted = /^(a )?(whole number|integer)/.test(g.expected) ? ['integer'] : /number/.test(g.expected) ? ['number'] : /true or false|boolean/.test(g.expected) ? ['boolean'] : /list|array/.test(g.expected) ? ['array'] : /text|string/.test(g.expected) ? ['string', 'trim'] : ['upper', 'lower', 'trim'];
      for (const to of wanted.filter((t) => !suggested.has(t))) {
        out.push({ id: `coerce-${to}`, ...cases[to]!, asks: 'nothing', repairs: () => [{ op: 'coerce', path: g.path, to }] });
      }
      if (g.code === 'additional_property') out.push({ id: 'field', title: 'Give the field its planned name', help: 'The sender used another name for it.', asks: 'field', label: 'Planned name', repairs: (to) => [{ op: 'rename', path: g.path, to }] });
      out.push({ id: 'value', title: 'Replace it by the same value everywhere', help: 'What the sender wrote is lost in the repaired event; the original stays in the archive.', asks: 'value', label: `Value of “${field}”`, repairs: (v) => [{ op: 'set', path: g.path, value: typed(v, g.expected) }] });
      out.push({ id: 'drop', title: `Leave “${field}” out`, help: 'Where the plan does not demand it.', asks: 'nothing', repairs: () => [{ op: 'drop', path: g.path }] });
      out.push({ id: 'sql', title: 'Compute it from the rest of the event', help: 'An expression in SQL.', asks: 'sql', label: `Expression for “${field}”`, repairs: (sql) => [{ op: 'set', path: g.path, sql }] });
    }
  }
  out.push({ id: 'none', title: 'Nothing: send them as they are', help: 'Right after the plan was changed, when they fit now.', asks: 'nothing', repairs: () => [] });
  return out;
}

/** A repair in words. */
export function said(r: ReplayRepair): { title: string; help: string } {
  const field = fieldName(r.path ?? '');
  switch (r.op) {
    case 'rename_event':
      return { title: `Call it “${r.to}”`, help: 'The name of the event is corrected.' };
    case 'rename':
      return { title: `Rename “${field}” to “${r.to}”`, help: 'Its value stays.' };
    case 'coerce':
      return { title: `${cases[r.to ?? '']?.title ?? `Turn it into ${r.to}`}`, help: cases[r.to ?? '']?.help ?? '' };
    case 'default':
      return { title: `Fill in “${field}” where it is missing`, help: r.sql ? `with ${r.sql}` : `with ${JSON.stringify(r.value)}` };
    case 'set':
      return { title: `Set “${field}”`, help: r.sql ? `to ${r.sql}` : `to ${JSON.stringify(r.value)}` };
    case 'drop':
      return { title: `Leave “${field}” out`, help: 'The rest of the event stays.' };
    case 'source':
      return { title: `Take “${r.to}” as its source`, help: 'The plan of that source applies.' };
  }
  return { title: r.op, help: '' };
}
