// The processes that share the work, as rows that people read.
import { plural } from './format';
import type { Cluster, ClusterTask } from './schema';

export interface Process {
  name: string;
  address: string;
  /** The page came from it. */
  here: boolean;
  silent: boolean;
  /** It is still taking over some of what it runs. */
  restoring: boolean;
  keeper: boolean;
  views: string[];
  startedAt: string;
  heardAt: string;
  version: string;
  /** null: it runs no views. */
  lagMs: number | null;
}

/** Whether several processes are to share the work. One alone that was told so counts: the others may be lost. */
export const shared = (c: Cluster | null): c is Cluster => c !== null && c.tasks.length > 0;

export function processes(c: Cluster): Process[] {
  return c.nodes.map((n) => {
    const runs = c.tasks.filter((t) => t.node === n.name && t.views.length > 0);
    return {
      ...n,
      here: n.name === c.node,
      restoring: runs.some((t) => t.restoring),
      views: runs.flatMap((t) => t.views.map(viewName)).sort(),
      lagMs: runs.length > 0 ? Math.max(...runs.map((t) => t.lagMs)) : null,
    };
  });
}

/** What nobody runs at the moment. */
export const idle = (c: Cluster): ClusterTask[] => c.tasks.filter((t) => t.node === '' && t.views.length > 0);

/** Sinks with a query of their own are listed as "sink NAME". */
const viewName = (v: string): string => v.replace(/^sink /, '');

/** The first few names, and how many more. */
export function named(all: string[], most = 3): string {
  if (all.length <= most + 1) return all.join(', ');
  return `${all.slice(0, most).join(', ')} and ${plural(all.length - most, 'more', 'more')}`;
}
