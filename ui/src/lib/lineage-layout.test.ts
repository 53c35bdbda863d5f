import { describe, expect, test } from 'vitest';
import { fields, fold, reach } from './lineage-layout';
import { neighbours, part, whole } from './lineage-picture';
import type { Lineage, LineageNode } from './schema';
import { changedLines } from './text-diff';

const node = (id: string, parent = ''): LineageNode => ({ id, kind: id.split(':')[0], name: id.split(':')[1], parent, health: 'ok', incidents: [], inBlast: false, heldBack: 0, note: '' }) as LineageNode;
const edge = (from: string, to: string, health = 'ok') => ({ from, to, health, kind: 'computes' as const, incidents: [], ratePerHour: 1 });
const graph: Lineage = {
  focus: '',
  nodes: [node('sink:mail'), node('view:b'), node('view:a'), node('column:a/total', 'view:a'), node('event:Order'), node('property:Order/total', 'event:Order'), node('source:web')],
  edges: [edge('source:web', 'event:Order'), edge('event:Order', 'property:Order/total'), edge('property:Order/total', 'column:a/total', 'warning'), edge('view:a', 'column:a/total'), edge('view:a', 'view:b'), edge('view:b', 'sink:mail')],
};

describe('lineage', () => {
  test('folds fields into what they belong to and keeps the worst health', () => {
    const f = fold(graph);
    expect(f.nodes.map((n) => n.node.id)).not.toContain('column:a/total');
    expect(f.edges.find((e) => e.from === 'event:Order' && e.to === 'view:a')?.health).toBe('warning');
    expect(Object.fromEntries(f.nodes.map((n) => [n.node.id, n.layer]))).toEqual({ 'source:web': 0, 'event:Order': 1, 'view:a': 2, 'view:b': 3, 'sink:mail': 4 });
  });
  test('every event, by whatever name, stands between the events and the views', () => {
    const every = { ...node('event:*'), name: 'every event' };
    const f = fold({ ...graph, nodes: [...graph.nodes, every], edges: [...graph.edges, edge('event:Order', 'event:*'), edge('event:*', 'view:a')] });
    expect(f.edges.every((e) => f.nodes.find((n) => n.node.id === e.from)!.layer < f.nodes.find((n) => n.node.id === e.to)!.layer)).toBe(true);
  });
  test('a circle does not hang it', () => {
    expect(fold({ ...graph, edges: [...graph.edges, edge('view:b', 'view:a')] }).nodes.length).toBe(5);
  });
  test('reach goes both ways, not sideways', () => {
    const edges = [edge('a', 'b'), edge('b', 'c'), edge('a', 'd')];
    expect([...reach('b', edges)].sort()).toEqual(['a', 'b', 'c']);
  });
  test('fields say what they are made of', () => {
    expect(fields('view:a', graph).map((f) => [f.node.name, f.from.map((e) => e.from)])).toEqual([['a/total', ['property:Order/total']]]);
  });
});

describe('the picture', () => {
  const own: Lineage = { ...graph, edges: graph.edges.filter((e) => e.from !== 'view:a' || e.to === 'view:b').concat(edge('column:a/total', 'view:a')) };
  test('of everything has one box for each event and view', () => {
    const p = whole(own);
    expect(p.boxes.map((b) => b.node.id)).toEqual(['source:web', 'event:Order', 'view:a', 'view:b', 'sink:mail']);
    expect(p.boxes.every((b) => b.fields.length === 0 && b.y >= 0 && b.y + b.height <= p.height)).toBe(true);
  });
  test('of a column leads from its property to what shows it, row to row', () => {
    const p = part(own, reach('column:a/total', own.edges));
    expect(p.boxes.find((b) => b.node.id === 'event:Order')?.fields.map((f) => f.id)).toEqual(['property:Order/total']);
    expect(p.lines.map((l) => `${l.from} ${l.to}`)).toContain('property:Order/total column:a/total');
    expect(p.lines.every((l) => l.fromLayer < l.toLayer)).toBe(true);
  });
  test('no line runs behind every event', () => {
    const many: Lineage = {
      focus: '',
      nodes: [node('source:web'), ...['A', 'B', 'C'].map((n) => node(`event:${n}`)), node('event:*'), ...['a', 'b', 'c'].map((n) => node(`view:${n}`))],
      edges: [...['A', 'B', 'C'].map((n) => edge(`event:${n}`, 'event:*')), edge('event:*', 'view:a'), edge('event:B', 'view:b'), edge('event:C', 'view:c')],
    };
    const p = whole(many);
    const every = p.boxes.find((b) => b.node.id === 'event:*')!;
    const passing = p.lines.filter((l) => l.fromLayer < every.layer && l.toLayer > every.layer);
    expect(passing.length).toBe(2);
    // In the middle of the column a line is half way between its ends.
    for (const l of passing) expect(Math.abs((l.y1 + l.y2) / 2 - every.y - every.height / 2)).toBeGreaterThan(every.height / 2);
    expect(p.boxes.every((b) => b.y >= 0 && b.y + b.height <= p.height)).toBe(true);
  });
  test('neighbours by name', () => {
    expect(neighbours(own).get('view:a')).toEqual({ from: ['Order'], to: ['b'] });
  });
});

test('a text diff keeps what stayed and a little around what changed', () => {
  const text = (lines: string[]) => lines.join('\n');
  const a = text(['1', '2', '3', '4', '5', '6', '7', '8']);
  expect(changedLines(a, a.replace('6', 'x')).map((l) => `${l.kind[0]}${l.text}`)).toEqual(['g…', 's4', 's5', 'r6', 'ax', 's7', 's8']);
  expect(changedLines(a, a)).toEqual([{ kind: 'gap', text: '…' }]);
  expect(changedLines('a\nb\nc', 'a\nc').map((l) => l.kind)).toEqual(['same', 'removed', 'same']);
});
