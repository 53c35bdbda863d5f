// Just enough of SQL's lexis to colour it.

export type SQLKind = 'keyword' | 'function' | 'string' | 'number' | 'comment' | 'quoted' | 'text';

export interface SQLToken {
  kind: SQLKind;
  text: string;
}

const keywords = new Set(
  (
    'all and any as asc between by case cast changes close create cross desc distinct drop else emit end except exists false filter ' +
    'following for from full group having if in inner insert interval into is join key last left like limit materialized not null ' +
    'nulls offset on or order outer over partition preceding primary range right row rows select set sink source table then true ' +
    'union using values view watermark when where window with bigint boolean date decimal double integer jsonb numeric precision ' +
    'text timestamp timestamptz'
  ).split(' '),
);

// Comments, strings, quoted names, numbers, words, anything else; in this order.
const pattern = /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*(?:'|$))|("(?:[^"]|"")*(?:"|$))|(\d+(?:\.\d+)?)|([A-Za-z_][A-Za-z0-9_]*)|([\s\S])/g;

/** Splits SQL into coloured pieces; joined, their texts are the input. */
export function sqlTokens(sql: string): SQLToken[] {
  const out: SQLToken[] = [];
  for (const m of sql.matchAll(pattern)) {
    const text = m[0];
    const kind = kindOf(m, sql);
    const last = out.at(-1);
    if (kind === 'text' && last?.kind === 'text') last.text += text;
    else out.push({ kind, text });
  }
  return out;
}

function kindOf(m: RegExpMatchArray, sql: string): SQLKind {
  if (m[1]) return 'comment';
  if (m[2]) return 'string';
  if (m[3]) return 'quoted';
  if (m[4]) return 'number';
  if (!m[5]) return 'text';
  if (keywords.has(m[5].toLowerCase())) return 'keyword';
  return sql[m.index! + m[5].length] === '(' ? 'function' : 'text';
}
