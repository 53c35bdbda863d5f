// Writes src/lib/schema.gen.ts, the types of the HTTP API, from its own description.
//   node scripts/schema.mjs http://127.0.0.1:8080     (or the path of a saved openapi.json)
// With --check it only compares, and fails where the committed file is not what the server says.
import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL, fileURLToPath } from 'node:url';

const target = fileURLToPath(new URL('../src/lib/schema.gen.ts', import.meta.url));

/** The file's text for one OpenAPI document. */
export function typescript(openapi) {
  const named = Object.entries(openapi.components.schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = named.map(([name, schema]) => `export interface ${name} {\n${members(schema)}}\n`);
  return ['// Code generated from /api/openapi.json by scripts/schema.mjs. DO NOT EDIT.\n', ...parts].join('\n');
}

function members(schema) {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, s]) => `${s.description ? `  /** ${s.description} */\n` : ''}  ${name}${required.has(name) ? '' : '?'}: ${type(s)};\n`)
    .join('');
}

// A list of bare words in a description ("ok, retrying, paused or failing") names all values that there are.
const words = /^[a-z_]+( [a-z_]+)?(, [a-z_]+( [a-z_]+)?)* or [a-z_]+( [a-z_]+)?$/;

function type(s) {
  if (s.$ref) return s.$ref.split('/').at(-1);
  if (s.anyOf) return s.anyOf.map(type).join(' | ');
  switch (s.type) {
    case 'array': {
      const item = type(s.items);
      return item.includes(' ') ? `(${item})[]` : `${item}[]`;
    }
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'null':
      return 'null';
    case 'string':
      return words.test(s.description ?? '') ? s.description.split(/, | or /).map((w) => `'${w}'`).join(' | ') : 'string';
    default:
      return 'unknown';
  }
}

/** Reads the description from a server or a file; null where a server has none. */
export async function describe(from) {
  if (!/^https?:/.test(from)) return JSON.parse(await readFile(from, 'utf8'));
  const answer = await fetch(new URL('/api/openapi.json', from));
  return answer.ok ? answer.json() : null;
}

/** Whether the committed file is what openapi says. */
export const upToDate = async (openapi) => (await readFile(target, 'utf8')) === typescript(openapi);

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [from, check] = process.argv.slice(2);
  const openapi = await describe(from ?? 'http://127.0.0.1:8080');
  if (!openapi) throw new Error(`${from} does not describe its API`);
  if (check !== '--check') await writeFile(target, typescript(openapi));
  else if (!(await upToDate(openapi))) throw new Error('src/lib/schema.gen.ts is out of date: run npm run schema');
}
