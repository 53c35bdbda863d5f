// Where everything of the lineage stands: boxes in columns from left to right, their fields as rows within them, and the lines
// between. Of one thing in focus only what feeds it and what it feeds is left, down to single fields.
import { fold, shownAs, type Folded } from './lineage-layout';
import type { Lineage, LineageNode } from './schema';

export const headHeight = 46;
export const fieldHeight = 22;
const fieldsEnd = 6;
const between = 14;
const mostFields = 14;

export interface Box {
  node: LineageNode;
  layer: number;
  y: number;
  height: number;
  fields: LineageNode[];
  /** Fields that are there but have no room. */
  more: number;
}

export interface Line {
  from: string;
  to: string;
  fromLayer: number;
  toLayer: number;
  y1: number;
  y2: number;
  health: string;
  rate: number;
  /** It decides which rows there are, not what stands in them. */
  filters: boolean;
}

export interface Picture {
  boxes: Box[];
  lines: Line[];
  layers: number;
  height: number;
}

/** Everything, each event and view as one box. */
export const whole = (graph: Lineage): Picture => place(fold(graph), new Map(), graph, false);

/** The part of the graph that holds some nodes, with their fields. */
export function part(graph: Lineage, keep: Set<string>): Picture {
  const boxes = new Set(graph.nodes.filter((n) => keep.has(n.id)).map(shownAs));
  const nodes = graph.nodes.filter((n) => keep.has(n.id) || boxes.has(n.id));
  const ids = new Set(nodes.map((n) => n.id));
  const left: Lineage = { ...graph, nodes, edges: graph.edges.filter((e) => ids.has(e.from) && ids.has(e.to)) };
  const fields = new Map<string, LineageNode[]>();
  for (const n of nodes) {
    if (shownAs(n) === n.id) continue;
    const own = fields.get(n.parent);
    if (own) own.push(n);
    else fields.set(n.parent, [n]);
  }
  return place(fold(left), fields, left, true);
}

function place(folded: Folded, fields: Map<string, LineageNode[]>, graph: Lineage, single: boolean): Picture {
  const boxes = folded.nodes.map(({ node, layer }): Box => {
    const own = fields.get(node.id) ?? [];
    const shown = own.slice(0, mostFields);
    const rows = shown.length + (own.length > shown.length ? 1 : 0);
    return { node, layer, y: 0, height: headHeight + (rows > 0 ? rows * fieldHeight + fieldsEnd : 0), fields: shown, more: own.length - shown.length };
  });
  const tall = (layer: number): number => boxes.filter((b) => b.layer === layer).reduce((a, b) => a + b.height + between, -between);
  let height = Math.max(headHeight, ...boxes.map((b) => tall(b.layer)));
  const next = new Map<number, number>();
  for (const b of boxes) {
    b.y = next.get(b.layer) ?? (height - tall(b.layer)) / 2;
    next.set(b.layer, b.y + b.height + between);
  }
  const every = boxes.find((b) => b.node.id === 'event:*');
  if (every) {
    const heads = new Map(boxes.map((b) => [b.node.id, b]));
    const passing = folded.edges.map((e) => [heads.get(e.from), heads.get(e.to)]).filter(([a, b]) => a && b && a.layer < every.layer && b.layer > every.layer);
    every.y = clear(every, passing.map(([a, b]) => ({ from: a!, to: b! })), height);
    height = Math.max(height, every.y + every.height);
  }
  const at = new Map<string, { box: string; layer: number; y: number }>();
  for (const b of boxes) {
    at.set(b.node.id, { box: b.node.id, layer: b.layer, y: b.y + headHeight / 2 });
    for (const [i, f] of b.fields.entries()) at.set(f.id, { box: b.node.id, layer: b.layer, y: b.y + headHeight + (i + 0.5) * fieldHeight });
  }
  const lines = new Map<string, Line>();
  const edges = single ? graph.edges.map((e) => ({ ...e, rate: e.ratePerHour })) : folded.edges.map((e) => ({ ...e, kind: 'feeds' }));
  for (const e of edges) {
    const [a, b] = [at.get(e.from), at.get(e.to)];
    if (!a || !b || a.box === b.box) continue;
    lines.set(`${e.from} ${e.to} ${e.kind}`, { from: e.from, to: e.to, fromLayer: a.layer, toLayer: b.layer, y1: a.y, y2: b.y, health: e.health, rate: e.rate, filters: e.kind === 'filters' });
  }
  return { boxes, lines: [...lines.values()], layers: folded.layers, height };
}

/** Where a box stands alone in its column so that no line that passes the column runs behind it: as near to the middle as can be. */
function clear(box: Box, passing: { from: Box; to: Box }[], height: number): number {
  const bands = passing.flatMap(({ from, to }) => {
    const mids = (b: Box): number[] => [b.y + headHeight / 2, ...b.fields.map((_, i) => b.y + headHeight + (i + 0.5) * fieldHeight)];
    return mids(from).flatMap((y1) => mids(to).map((y2) => crossing(box.layer, from.layer, to.layer, y1, y2)));
  });
  const free = (y: number): boolean => bands.every(([low, high]) => y + box.height < low - 6 || y > high + 6);
  const middle = (height - box.height) / 2;
  for (let off = 0; off <= height; off += 4) {
    for (const y of [middle - off, middle + off]) if (y >= 0 && y + box.height <= height && free(y)) return y;
  }
  return height + between;
}

/** Between which heights a line passes a column, however wide boxes and gaps are drawn (Graph.svelte). */
function crossing(layer: number, fromLayer: number, toLayer: number, y1: number, y2: number): [number, number] {
  const at: number[] = [];
  for (const gap of [0.26, 0.42]) { // parts of a box's width
    const [left, x1, x2] = [layer * (1 + gap), fromLayer * (1 + gap) + 1, toLayer * (1 + gap)];
    for (let t = 0; t <= 1; t += 0.02) {
      const u = 1 - t;
      const x = u * u * u * x1 + 3 * u * u * t * (x1 + 0.6 * gap) + 3 * u * t * t * (x2 - 0.6 * gap) + t * t * t * x2;
      if (x > left - 0.05 && x < left + 1.05) at.push(y1 + (y2 - y1) * t * t * (3 - 2 * t));
    }
  }
  return [Math.min(...at), Math.max(...at)];
}

const kinds: Record<string, string> = { source: 'source', event: 'event', property: 'property', table: 'table', view: 'view', column: 'column', sink: 'delivery', dashboard: 'dashboard' };

export const kindWord = (kind: string): string => kinds[kind] ?? kind;

/** What a box is made of and what it feeds, by name. */
export function neighbours(graph: Lineage): Map<string, { from: string[]; to: string[] }> {
  const folded = fold(graph);
  const names = new Map(folded.nodes.map((p) => [p.node.id, p.node.name]));
  const out = new Map(folded.nodes.map((p) => [p.node.id, { from: [] as string[], to: [] as string[] }]));
  for (const e of folded.edges) {
    out.get(e.to)?.from.push(names.get(e.from) ?? e.from);
    out.get(e.from)?.to.push(names.get(e.to) ?? e.to);
  }
  return out;
}
