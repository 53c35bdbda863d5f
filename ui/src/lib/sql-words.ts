// What the SQL page knows of SQL without asking: keywords to offer, which columns fit, and steps in plain words.
import type { Column, SQLOperator, View } from './schema';

export const keywords =
  `SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT OFFSET AS AND OR NOT IN IS NULL BETWEEN LIKE ILIKE CASE WHEN THEN ELSE END DISTINCT FILTER OVER PARTITION
JOIN LEFT RIGHT FULL INNER CROSS ON USING UNION EXCEPT INTERSECT ALL WITH VALUES INTERVAL CREATE MATERIALIZED VIEW SINK DROP EMIT CHANGES WINDOW CLOSE EXPLAIN`
    .split(/\s+/)
    .filter((w, i, all) => all.indexOf(w) === i);

/** Columns that fit: those of the relation or alias before the dot, else those of every relation that the text names. */
export function columnsAt(text: string, qualifier: string, relations: View[]): Column[] {
  const named = relations.filter((r) => new RegExp(`\\b${r.name}\\b`, 'i').test(text));
  // "crm AS c", "crm c" or, behind the arguments of a window, "tumble(events, …) AS e".
  const alias = (r: View): boolean => new RegExp(`\\b${r.name}\\b(?:[^();]*\\))?\\s+(?:as\\s+)?${qualifier}\\b`, 'i').test(text);
  const own = qualifier ? named.filter((r) => r.name === qualifier || alias(r)) : [];
  const out = new Map<string, Column>();
  for (const r of own.length > 0 ? own : named) for (const c of r.columns) if (!out.has(c.name)) out.set(c.name, c);
  if (/\b(tumble|hop|cumulate|session)\s*\(/i.test(text)) {
    for (const name of ['window_start', 'window_end']) out.set(name, { name, type: 'timestamptz' });
  }
  return [...out.values()];
}

const titles: Record<string, string> = {
  Tumble: 'Cut time into windows',
  Hop: 'Overlapping windows',
  Cumulate: 'Growing windows',
  Session: 'Visits: windows by silence',
  Filter: 'Keep rows where',
  Project: 'Compute columns',
  Aggregate: 'Group and sum up',
  Sort: 'Sort',
  Distinct: 'Drop repeated rows',
  Top: 'Keep the first rows',
  TopN: 'Keep the first rows',
  Over: 'Look at rows around',
  Union: 'Put together',
  Intersect: 'Keep what is in both',
  Except: 'Take away',
  Values: 'Rows written in the query',
  Unnest: 'One row per entry of a list',
  Inner: 'Match rows',
  Left: 'Match rows, keep the left ones',
  Right: 'Match rows, keep the right ones',
  Full: 'Match rows, keep all',
  Cross: 'Every row with every row',
  Semi: 'Keep rows that have a match',
  Anti: 'Keep rows without a match',
  Recursive: 'Repeat until nothing is new',
};

/** What a step does, for people who do not read plans. */
export function stepTitle(o: SQLOperator): string {
  return o.kind === 'Scan' ? `Read ${o.relation}` : (titles[o.kind] ?? o.kind);
}

/** The step's own words without what the title says. */
export function stepDetail(o: SQLOperator): string {
  if (o.kind === 'Scan') return o.source === 'stream' ? 'events as they come' : `the ${o.source} as it is`;
  return o.detail.replace(/^join\b ?/, '').replace(/\b(\d\d):(\d\d):(\d\d)\b/g, (_, h: string, m: string, s: string) => {
    const parts = ([[Number(h), 'h'], [Number(m), 'min'], [Number(s), 's']] as const).filter(([n]) => n > 0).map(([n, u]) => `${n} ${u}`);
    return parts.join(' ') || '0 s';
  });
}

/** 1-based line and column of a 1-based character. */
export function placeOf(text: string, position: number): { line: number; column: number } {
  const before = [...text].slice(0, position - 1).join('');
  return { line: before.split('\n').length, column: [...before.slice(before.lastIndexOf('\n') + 1)].length + 1 };
}

/** The word that begins at a 1-based character, as offsets of the text. */
export function wordAt(text: string, position: number): { from: number; to: number } {
  const from = [...text].slice(0, position - 1).join('').length;
  const word = /^(\w+|"[^"]*"|\S)/.exec(text.slice(from));
  return { from: word ? from : Math.max(0, from - 1), to: from + (word?.[0].length ?? 0) };
}

/** A SELECT as the view that keeps its answer up to date. */
export function asView(sql: string, name = 'my_view'): string {
  return `CREATE MATERIALIZED VIEW ${name} AS\n${sql.trim().replace(/;\s*$/, '')}`;
}
