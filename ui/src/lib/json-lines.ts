// JSON as lines to show, with the places that a violation names marked, also those that are missing.
import type { Violation } from './schema';

export type TokenKind = 'key' | 'string' | 'number' | 'word' | 'punctuation';

export interface Token {
  kind: TokenKind;
  text: string;
}

export interface Line {
  depth: number;
  tokens: Token[];
  /** The violations of the value that starts on this line. */
  marks: Pick<Violation, 'code' | 'path' | 'expected' | 'got'>[];
  /** The value is not in the event: the line shows where it should be. */
  missing: boolean;
  /** The path of an object or list whose members can be shown and hidden on this line, and how many there are. */
  fold?: { path: string; count: number; closed: boolean };
}

type Mark = Line['marks'][number];

const maxLines = 600;

const escape = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');

const unescape = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~');

/** Lays value out two spaces per depth, like JSON.stringify, at most 600 lines. Members of the event can be folded; those in
 * closed are. */
export function jsonLines(value: unknown, violations: Mark[] = [], closed: ReadonlySet<string> = new Set()): Line[] {
  const lines: Line[] = [];
  const absent = missingPlaces(value, violations);
  const add = (depth: number, tokens: Token[], marks: Mark[] = [], missing = false, fold?: Line['fold']) => {
    if (lines.length < maxLines) lines.push({ depth, tokens, marks, missing, fold });
    else if (lines.length === maxLines) lines.push({ depth: 0, tokens: [{ kind: 'punctuation', text: '…' }], marks: [], missing: false });
  };

  const walk = (v: unknown, path: string, depth: number, lead: Token[], comma: string) => {
    const marks = violations.filter((m) => m.path === path && path !== '');
    const gone = absent.get(path) ?? [];
    if (typeof v !== 'object' || v === null) {
      add(depth, [...lead, scalar(v), ...punctuation(comma)], marks);
      return;
    }
    const isList = Array.isArray(v);
    const members: [string, unknown][] = isList ? v.map((x, i) => [String(i), x]) : Object.entries(v);
    const [open, close] = isList ? ['[', ']'] : ['{', '}'];
    if (members.length === 0 && gone.length === 0) {
      add(depth, [...lead, ...punctuation(open + close + comma)], marks);
      return;
    }
    const fold = depth === 1 ? { path, count: members.length, closed: closed.has(path) } : undefined;
    if (fold?.closed) {
      add(depth, [...lead, ...punctuation(`${open} … ${close}${comma}`)], marks, false, fold);
      return;
    }
    add(depth, [...lead, ...punctuation(open)], marks, false, fold);
    members.forEach(([key, member], i) => {
      const name: Token[] = isList ? [] : [{ kind: 'key', text: JSON.stringify(key) }, ...punctuation(': ')];
      walk(member, `${path}/${escape(key)}`, depth + 1, name, i < members.length - 1 ? ',' : '');
    });
    for (const { name, mark } of gone) add(depth + 1, [{ kind: 'key', text: JSON.stringify(name) }], [mark], true);
    add(depth, punctuation(close + comma));
  };

  walk(value, '', 0, [], '');
  return lines;
}

const punctuation = (text: string): Token[] => (text ? [{ kind: 'punctuation', text }] : []);

function scalar(v: unknown): Token {
  if (typeof v === 'string') return { kind: 'string', text: JSON.stringify(v) };
  if (typeof v === 'number') return { kind: 'number', text: String(v) };
  return { kind: 'word', text: String(v) };
}

/** For each path that is not there: the deepest parent that is, with what is missing below it. */
function missingPlaces(value: unknown, violations: Mark[]): Map<string, { name: string; mark: Mark }[]> {
  const found = new Map<string, { name: string; mark: Mark }[]>();
  for (const mark of violations) {
    const parts = mark.path.split('/').slice(1);
    let at: unknown = value;
    let depth = 0;
    while (depth < parts.length && typeof at === 'object' && at !== null && Object.hasOwn(at, unescape(parts[depth]!))) {
      at = (at as Record<string, unknown>)[unescape(parts[depth]!)];
      depth++;
    }
    if (depth === parts.length) continue;
    if (typeof at !== 'object' || at === null) depth--;
    if (depth < 0) continue;
    const parent = parts.slice(0, depth).map((p) => `/${p}`).join('');
    const entry = { name: parts.slice(depth).map(unescape).join('.'), mark };
    found.set(parent, [...(found.get(parent) ?? []), entry]);
  }
  return found;
}

/** The parts of an event that are folded at first: long and rarely looked at, unless the trouble is in them. */
export function foldedAtFirst(value: unknown, violations: Mark[]): Set<string> {
  const dull = ['context', 'integrations', 'myelin'].filter((k) => typeof (value as Record<string, unknown> | null)?.[k] === 'object');
  return new Set(dull.map((k) => `/${k}`).filter((path) => !violations.some((v) => v.path === path || v.path.startsWith(`${path}/`))));
}
