// What is wrong with an event, and what to do about it, in words for people who do not read JSON.
import type { Status, Violation } from './schema';

type Finding = Pick<Violation, 'code' | 'path' | 'expected' | 'got'>;

/** "/properties/products/0/price" → "products › 1 › price"; the pointer's escapes are undone. */
export function fieldName(path: string): string {
  const parts = path.split('/').slice(1).map((p) => p.replaceAll('~1', '/').replaceAll('~0', '~'));
  const shown = parts[0] === 'properties' && parts.length > 1 ? parts.slice(1) : parts;
  return shown.map((p) => (/^\d+$/.test(p) ? `${Number(p) + 1}` : p)).join(' › ');
}

const kinds: Record<string, string> = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  object: 'a group of fields',
  array: 'a list',
  null: 'empty',
};

const kindName = (s: string): string => kinds[s] ?? s;

const tail = (v: Finding): string => (v.expected ? ` (allowed: ${v.expected})` : '');

/** What arrived: its kind ("text") or the value itself, named by its kind where quotes are easily overlooked. */
function seen(got: string): string {
  if (!got) return '';
  if (kinds[got]) return `, but came as ${kindName(got)}`;
  return got.startsWith('"') ? `, but came as the text ${got}` : `, but came as ${got}`;
}

const sentences: Record<string, (v: Finding, field: string, event: string) => string> = {
  unplanned_event: (_, __, event) => `“${event}” is not in the tracking plan`,
  misspelled_event: (v, _, event) => (v.expected ? `“${event}” is spelled “${bare(v.expected)}” in the plan` : `“${event}” is misspelled`),
  required_missing: (_, f) => `“${f}” is missing`,
  type_mismatch: (v, f) => `“${f}” should be ${kindName(v.expected) || 'of another kind'}${seen(v.got)}`,
  range_violation: (v, f) => `“${f}” is out of range${v.got ? `: ${v.got}` : ''}${tail(v)}`,
  length_violation: (v, f) => `“${f}” is too long or too short${tail(v)}`,
  enum_violation: (v, f) => `“${f}” has a value that the plan does not list${v.got ? `: ${v.got}` : ''}`,
  pattern_violation: (v, f) => `“${f}” does not follow the agreed pattern${v.got ? `: ${v.got}` : ''}`,
  format_violation: (v, f) => `“${f}” is not a valid ${v.expected || 'value'}${v.got ? `: ${v.got}` : ''}`,
  additional_property: (_, f) => `“${f}” is sent but not planned`,
  array_item: (v, f) => `An entry of the list “${f}” is wrong${tail(v)}`,
  no_id: () => 'Nobody is named: neither userId nor anonymousId is set',
  bad_timestamp: (v, f) => `“${f || 'timestamp'}” is not a date and time${v.got ? `: ${v.got}` : ''}`,
  future_timestamp: () => 'The event says it happens in the future',
  too_large: (v) => `The event is too large${tail(v)}`,
};

const bare = (s: string): string => s.replace(/^["“](.*)["”]$/, '$1');

/** One sentence without its full stop: “total” should be a number, but came as the text "12.5". */
export function inWords(v: Finding, event: string): string {
  const field = fieldName(v.path);
  const say = sentences[v.code];
  if (say) return say(v, field, event);
  const code = v.code.replaceAll('_', ' ');
  return field ? `“${field}”: ${code}` : code.charAt(0).toUpperCase() + code.slice(1);
}

const steps: Record<string, string> = {
  unplanned_event: 'Add the event to the plan if it is wanted; else ask the owner of the source to stop sending it.',
  misspelled_event: 'Ask the owner of the source to use the plan’s spelling, or let the plan rename it.',
  required_missing: 'Ask the owner of the source to send this field every time, or make it optional in the plan.',
  type_mismatch: 'Ask the owner of the source to send the right kind of value. For numbers sent as text, the plan can convert them: on_error: {coerce: number}.',
  additional_property: 'Add the field to the plan if it is useful; else ask the owner of the source to drop it.',
  enum_violation: 'Fix the value at the source, or add it to the list in the plan.',
  no_id: 'Ask the owner of the source to set anonymousId on every call.',
  bad_timestamp: 'Ask the owner of the source to send times as 2026-03-06T14:03:09Z.',
  future_timestamp: 'Check the clock of the sending device or server, and that sentAt is set.',
  too_large: 'Send fewer fields or split the event.',
};

/** What to do next about one kind of violation. */
export function nextStep(code: string): string {
  return steps[code] ?? 'Compare the sample with the plan, and fix whichever of the two is wrong.';
}

/** What became of an event with this status. */
export const outcomes: Record<Status, string> = {
  valid: 'Follows the plan. It flowed on unchanged.',
  warn: 'Flowed on, although something is not as planned.',
  fixed: 'Repaired on the way in, as the plan says. It flowed on.',
  quarantined: 'Held back, whole and unchanged. Nothing downstream has seen it.',
};

export const statusWords: Record<Status, string> = {
  valid: 'Valid',
  warn: 'Warning',
  fixed: 'Fixed',
  quarantined: 'Quarantined',
};
