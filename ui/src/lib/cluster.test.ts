import { expect, test } from 'vitest';
import { idle, named, processes, shared } from './cluster';
import { tasks } from './attention';
import type { Cluster } from './schema';

const at = '2026-05-01T12:00:00Z';
const node = { address: 'http://a', version: '1', roles: [], startedAt: at, heardAt: at, silent: false, keeper: false, tasks: [] };
const task = { node: '', since: null, restoring: false, views: [], lagMs: 0, behind: 0 };
const cluster: Cluster = {
  node: 'b',
  nodes: [
    { ...node, name: 'a', silent: true },
    { ...node, name: 'b', keeper: true },
  ],
  tasks: [
    { ...task, task: 0, node: 'b', views: ['total', 'sink dear'], lagMs: 12 },
    { ...task, task: 1, node: 'b', views: ['per_person'], lagMs: 40, restoring: true },
    { ...task, task: 2, node: '', views: ['orders'] },
    { ...task, task: 3, node: 'b' },
  ],
};
const nothing = { overview: null, quality: null, sinks: null, sources: null, problems: null, incidents: null };

test('a process is shown with the views it runs and how far they are behind', () => {
  const [a, b] = processes(cluster);
  expect(a).toMatchObject({ name: 'a', silent: true, here: false, views: [], lagMs: null });
  expect(b).toMatchObject({ name: 'b', here: true, keeper: true, restoring: true, views: ['dear', 'per_person', 'total'], lagMs: 40 });
  expect(idle(cluster).map((t) => t.task)).toEqual([2]);
});

test('a process that works alone is no cluster', () => {
  expect(shared(cluster)).toBe(true);
  expect(shared({ ...cluster, tasks: [] })).toBe(false);
  expect(shared(null)).toBe(false);
});

test('a lost process is something to do', () => {
  expect(tasks({ ...nothing, cluster }, 0).map((t) => [t.level, t.title])).toEqual([['warn', 'a is silent']]);
  expect(tasks({ ...nothing, cluster: { ...cluster, tasks: [] } }, 0)).toEqual([]);
});

test('many names are cut', () => {
  expect(named(['a', 'b', 'c', 'd'])).toBe('a, b, c, d');
  expect(named(['a', 'b', 'c', 'd', 'e'])).toBe('a, b, c and 2 more');
});
