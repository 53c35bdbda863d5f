// Lineage as columns from left to right, with fields folded into what they belong to.
import type { Lineage, LineageEdge, LineageNode } from './schema';

export interface Placed {
  node: LineageNode;
  layer: number;
  row: number;
}

export interface Folded {
  nodes: Placed[];
  edges: { from: string; to: string; health: string; rate: number }[];
  layers: number;
  rows: number;
}

const worst = ['ok', 'unknown', 'warning', 'critical'];
const worse = (a: string, b: string): string => (worst.indexOf(a) >= worst.indexOf(b) ? a : b);

/** Where a node is drawn: a property within its event, a column within its view. */
export const shownAs = (n: LineageNode): string => (n.kind === 'property' || n.kind === 'column' ? n.parent || n.id : n.id);

export function fold(graph: Lineage): Folded {
  const at = new Map(graph.nodes.map((n) => [n.id, shownAs(n)]));
  const nodes = new Map(graph.nodes.filter((n) => shownAs(n) === n.id).map((n) => [n.id, n]));
  const edges = new Map<string, Folded['edges'][number]>();
  for (const e of graph.edges) {
    const [from, to] = [at.get(e.from) ?? e.from, at.get(e.to) ?? e.to];
    if (from === to || !nodes.has(from) || !nodes.has(to)) continue;
    const key = `${from}\n${to}`;
    const old = edges.get(key);
    edges.set(key, { from, to, health: old ? worse(old.health, e.health) : e.health, rate: Math.max(old?.rate ?? 0, e.ratePerHour) });
  }
  const list = [...edges.values()];
  const layer = layers([...nodes.values()], list);
  const columns: LineageNode[][] = [];
  for (const n of nodes.values()) (columns[layer.get(n.id)!] ??= []).push(n);
  const row = new Map<string, number>();
  const placed: Placed[] = [];
  for (const [i, column] of columns.entries()) {
    if (!column) continue;
    // Beside what feeds it, so that few lines cross.
    const mean = (n: LineageNode): number => {
      const rows = list.filter((e) => e.to === n.id).map((e) => row.get(e.from) ?? 0);
      return rows.length > 0 ? rows.reduce((a, b) => a + b, 0) / rows.length : Infinity;
    };
    column.sort((a, b) => mean(a) - mean(b) || (a.name < b.name ? -1 : 1));
    for (const [r, n] of column.entries()) {
      row.set(n.id, r);
      placed.push({ node: n, layer: i, row: r });
    }
  }
  return { nodes: placed, edges: list, layers: columns.length, rows: Math.max(1, ...columns.map((c) => c?.length ?? 0)) };
}

/** Sources, events, then each view one step after what it reads, and last what leaves. A circle ends the search. */
function layers(nodes: LineageNode[], edges: Folded['edges']): Map<string, number> {
  // The event "*" stands for every event, and comes between them and the views that read them all.
  const every = nodes.find((n) => n.id === 'event:*');
  const first: Record<string, number> = { source: 0, event: 1, table: 1 };
  const out = new Map(nodes.map((n) => [n.id, n === every ? 2 : (first[n.kind] ?? (every ? 3 : 2))]));
  const views = new Set(nodes.filter((n) => n.kind === 'view').map((n) => n.id));
  for (let round = 0; round < views.size; round++) {
    let moved = false;
    for (const e of edges) {
      if (!views.has(e.to) || out.get(e.to)! > out.get(e.from)! || out.get(e.to)! > views.size + 3) continue;
      out.set(e.to, out.get(e.from)! + 1);
      moved = true;
    }
    if (!moved) break;
  }
  const last = Math.max(1, ...[...views].map((v) => out.get(v)!)) + 1;
  for (const n of nodes) if (n.kind === 'sink' || n.kind === 'dashboard') out.set(n.id, last);
  return out;
}

/** Everything that feeds a node and that it feeds, itself too. */
export function reach(id: string, edges: { from: string; to: string }[]): Set<string> {
  const out = new Set([id]);
  for (const [a, b] of [['from', 'to'], ['to', 'from']] as const) {
    const todo = [id];
    const seen = new Set(todo);
    for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
      for (const e of edges) {
        if (e[a] === at && !seen.has(e[b])) {
          seen.add(e[b]);
          out.add(e[b]);
          todo.push(e[b]);
        }
      }
    }
  }
  return out;
}

/** The fields of a node, each with what it is made of. */
export function fields(id: string, graph: Lineage): { node: LineageNode; from: LineageEdge[] }[] {
  return graph.nodes
    .filter((n) => n.parent === id)
    .map((node) => ({ node, from: graph.edges.filter((e) => e.to === node.id && e.from !== id) }))
    .sort((a, b) => (a.node.name < b.node.name ? -1 : 1));
}
