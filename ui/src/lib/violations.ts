// What is wrong with an event, and what to do about it, in words for people who do not read JSON.
import type { Status, Violation } from './schema';

type Finding = Pick<Violation, 'code' | 'path' | 'expected' | 'got'>;

/** "/properties/products/0/price" → "products › 1 › price"; the pointer's escapes are undone. */
export function fieldName(path: string): string {
  const parts = path.split('/').slice(1).map((p) => p.replaceAll('~1', '/').replaceAll('~0', '~'));
  const shown = parts[0] === 'properties' && parts.length > 1 ? parts.slice(1) : parts;
  // * stands for any entry of a list, where many events are told of at once.
  return shown.map((p) => (/^\d+$/.test(p) ? `${Number(p) + 1}` : p === '*' ? 'any' : p)).join(' › ');
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

/** What arrived, as people say it: the text "12.5", true, nothing, a list. The gate names the kind before the value. */
function came(got: string): string {
  if (kinds[got]) return kindName(got);
  const [, kind, value] = /^(string|number|boolean) (.+)$/s.exec(got) ?? [];
  if (value) return kind === 'string' ? `the text ${value}` : value;
  return got.startsWith('"') ? `the text ${got}` : got;
}

const seen = (got: string): string => (!got ? '' : got === 'nothing' ? ', but is missing' : `, but came as ${came(got)}`);

const sentences: Record<string, (v: Finding, field: string, event: string) => string> = {
  unplanned_event: (_, __, event) => `“${event}” is not in the tracking plan`,
  misspelled_event: (v, _, event) => (v.expected ? `“${event}” is spelled “${bare(v.expected)}” in the plan` : `“${event}” is misspelled`),
  required_missing: (_, f) => `“${f}” is missing`,
  type_mismatch: (v, f) => `“${f}” should be ${kindName(v.expected) || 'of another kind'}${seen(v.got)}`,
  range_violation: (v, f) => `“${f}” is out of range${v.got ? `: ${v.got}` : ''}${tail(v)}`,
  length_violation: (v, f) => `“${f}” is too long or too short${v.got ? `: ${v.got}` : ''}${tail(v)}`,
  enum_violation: (v, f) => `“${f}” has a value that the plan does not list${v.got ? `: ${v.got}` : ''}`,
  pattern_violation: (v, f) => `“${f}” does not follow the agreed pattern${v.got ? `: ${v.got}` : ''}`,
  format_violation: (v, f) => `“${f}” is not a valid ${v.expected || 'value'}${v.got ? `: ${v.got}` : ''}`,
  additional_property: (_, f) => `“${f}” is sent but not planned`,
  array_item: (v, f) => `“${f}” should be ${kindName(v.expected) || 'different'}${seen(v.got)}`,
  no_id: () => 'Nobody is named: neither userId nor anonymousId is set',
  bad_timestamp: (v, f) => `“${f || 'timestamp'}” is not a date and time${v.got ? `: ${v.got}` : ''}`,
  future_timestamp: () => 'The event says it happens in the future',
  too_large: (v) => `The event is too large${v.got ? `: ${v.got}` : ''}`,
  duplicate_unique: (v, f) => `“${f}” came before with the same value${v.got ? `: ${v.got}` : ''}`,
  id_too_long: (v, f) => `“${f}” is too long${v.got ? `: ${v.got}` : ''}`,
  bad_json: () => 'This is not readable as an event',
  not_an_object: () => 'This is not an event but another kind of value',
  unknown_type: (v) => `The kind of call is unknown${v.got ? `: ${v.got}` : ''}`,
  unknown_source: () => 'It does not say which source it is from',
  plan_missing: () => 'The tracking plan of its source is not there or cannot be read',
  schema_violation: (v, f) => `“${f}” should be ${v.expected}${seen(v.got)}`,
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

const steps: Record<string, (who: string) => string> = {
  unplanned_event: (who) => `If the event is wanted, add it to the plan; else ask ${who} to stop sending it.`,
  misspelled_event: (who) => `Ask ${who} to use the plan’s spelling, or add this one to the event in the plan.`,
  plan_missing: () => 'Mend the file of the plan (the banner says where) and run myelin apply.',
  required_missing: (who) => `Ask ${who} to send this field every time, or make it optional in the plan.`,
  type_mismatch: (who) => `Ask ${who} to send the right kind of value. Numbers sent as text can be put right by the plan on the way in.`,
  additional_property: (who) => `If the field is useful, add it to the plan; else ask ${who} to stop sending it.`,
  enum_violation: (who) => `If the value is a new one, add it to the list in the plan; else ask ${who} to correct it.`,
  no_id: (who) => `Ask ${who} to send a userId or an anonymousId with every call.`,
  bad_timestamp: (who) => `Ask ${who} to send times as 2026-03-06T14:03:09Z.`,
  future_timestamp: (who) => `The sender’s clock is probably wrong. Ask ${who} to check it, and that sentAt is sent.`,
  too_large: (who) => `Ask ${who} to send references instead of whole documents.`,
  duplicate_unique: () => 'Look for a page that is reloaded or a request that is sent again. The first one counted, so totals are right.',
};

/** What to do next about one kind of violation from one source. */
export function nextStep(code: string, source: string): string {
  const who = source ? `the team of ${source}` : 'the sender';
  return steps[code]?.(who) ?? `Compare the event with the plan. Ask ${who} to correct it, or change the rule in the plan.`;
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

/** Where a group's violation is in its sample. A group writes * for the entries of lists; the sample's own verdict knows which. */
export function placesIn(sample: unknown, group: Finding): Finding[] {
  const own = (sample as { myelin?: { violations?: Finding[] } } | null)?.myelin?.violations ?? [];
  const same = own.filter((v) => v.code === group.code && v.path.replace(/\/\d+(?=\/|$)/g, '/*') === group.path.replace(/\/\d+(?=\/|$)/g, '/*'));
  return same.length > 0 ? same : [group];
}
