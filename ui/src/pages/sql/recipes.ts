// Questions to start from. Each is a file: the first lines are its title and what it is good for.
const files = import.meta.glob<string>('./recipes/*.sql', { query: '?raw', import: 'default', eager: true });

export interface Recipe {
  id: string;
  title: string;
  about: string;
  sql: string;
}

export const recipes: Recipe[] = Object.entries(files)
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([path, text]) => {
    const lines = text.split('\n');
    const said = lines.filter((l, i) => l.startsWith('-- ') && lines.slice(0, i).every((x) => x.startsWith('-- '))).map((l) => l.slice(3));
    return { id: path.replace(/^.*\/\d*-?|\.sql$/g, ''), title: said[0] ?? '', about: said.slice(1).join(' '), sql: lines.slice(said.length).join('\n').trim() };
  });
