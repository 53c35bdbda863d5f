// What to do next: the few things on the overview that need a person, the most urgent first.
import { shared } from './cluster';
import { count, plural, span } from './format';
import { parseTime } from './format';
import { plainTitle, touched } from './incident-words';
import type { Cluster, Incident, Overview, Problem, Quality, Sink, Source } from './schema';
import { plainError } from './sink-words';
import { inWords } from './violations';

export interface Task {
  level: 'bad' | 'warn' | 'hint';
  title: string;
  detail: string;
  href: string;
  action: string;
}

export interface Facts {
  overview: Overview | null;
  quality: Quality | null;
  sinks: Sink[] | null;
  sources: Source[] | null;
  problems: Problem[] | null;
  /** Those that go on. */
  incidents: Incident[] | null;
  cluster?: Cluster | null;
}

const silentAfter = 15 * 60_000;
const behindAfter = 10_000;
const noteworthyShare = 0.001;

export function tasks(f: Facts, now: number): Task[] {
  return [...incidentTasks(f.incidents ?? []), ...processTasks(f.cluster ?? null), ...sinkTasks(f.sinks ?? []), ...balanceTasks(f.overview), ...lagTasks(f.overview), ...qualityTasks(f.quality), ...sourceTasks(f.sources, now)];
}

// Open incidents one by one while they are few; many would hide all else.
function incidentTasks(all: Incident[]): Task[] {
  const open = all.filter((i) => i.state === 'open').sort((a, b) => rank(a) - rank(b));
  const told = open.length > 2 ? open.slice(0, 1) : open;
  const tasks = told.map((i): Task => ({
    level: i.severity === 'critical' ? 'bad' : 'warn',
    title: plainTitle(i.title),
    detail: [touched(i) && `${touched(i)}.`, i.firstBadRelease && `It began with release ${i.firstBadRelease.version}.`].filter(Boolean).join(' ') || 'Nobody is on it yet.',
    href: `/incidents/${encodeURIComponent(i.id)}`,
    action: 'See what changed',
  }));
  if (open.length > told.length) {
    tasks.push({ level: 'warn', title: plural(open.length - told.length, 'more open incident'), detail: 'Nobody is on them yet.', href: '/incidents?state=open', action: 'See the incidents' });
  }
  return tasks;
}

const rank = (i: Incident): number => ['critical', 'warning'].indexOf(i.severity) + (i.severity === 'info' ? 3 : 0);

function processTasks(c: Cluster | null): Task[] {
  if (!shared(c)) return [];
  return c.nodes
    .filter((n) => n.silent)
    .map((n) => ({
      level: 'warn',
      title: `${n.name} is silent`,
      detail: 'Others have taken over its work, and nothing is lost. Whoever runs the servers should start it again.',
      href: '#processes',
      action: 'See the processes',
    }));
}

function sinkTasks(sinks: Sink[]): Task[] {
  return sinks.flatMap((s): Task[] => {
    const href = `/deliveries?sink=${encodeURIComponent(s.name)}`;
    if (s.state === 'failing' || s.state === 'paused') {
      const title = s.state === 'failing' ? `${s.name} cannot deliver` : `${s.name} is paused`;
      return [{ level: 'bad', title, detail: plainError(s.lastError) || `${plural(s.pending, 'row')} waiting.`, href, action: 'See the deliveries' }];
    }
    if (s.deadLettered > 0) {
      const detail = `What ${s.name} sent was not taken. ${s.deadLettered === 1 ? 'It is' : 'They are'} kept and can be sent again.`;
      return [{ level: 'warn', title: plural(s.deadLettered, 'dead letter'), detail, href, action: 'Look and replay' }];
    }
    if (s.state === 'retrying' && s.pending > 0) {
      const detail = `${plainError(s.lastError)} ${plural(s.pending, 'row')} waiting; nothing is lost.`.trim();
      return [{ level: 'warn', title: `${s.name} waits for its receiver`, detail, href, action: 'See the deliveries' }];
    }
    return [];
  });
}

function balanceTasks(o: Overview | null): Task[] {
  if (!o || missing(o) === 0) return [];
  const detail = `In and out differ by ${plural(Math.abs(missing(o)), 'event')}. Keep the page open and tell whoever runs the server.`;
  return [{ level: 'bad', title: 'The balance does not add up', detail, href: '#balance', action: 'See the balance' }];
}

/** in − accepted − quarantined − duplicates − pending; 0 when nothing is lost or made up. */
export function missing(o: Overview): number {
  const b = o.balance;
  return b.in - b.accepted - b.quarantined - b.duplicates - b.pending;
}

function lagTasks(o: Overview | null): Task[] {
  return (o?.stages ?? [])
    .filter((s) => s.lag > behindAfter)
    .map((s) => ({
      level: 'warn',
      title: `${s.title} is behind`,
      detail: `${plural(s.lag, 'event')} wait. It catches up by itself when there is less to do; nothing is lost.`,
      href: '#river',
      action: 'See the stages',
    }));
}

function qualityTasks(q: Quality | null): Task[] {
  const held = (q?.groups ?? []).filter((g) => g.status === 'quarantined').sort((a, b) => b.count - a.count);
  return held
    .filter((g) => g.count / Math.max(1, q?.totals.checked ?? 1) >= noteworthyShare)
    .slice(0, 2)
    .map((g) => ({
      level: 'warn',
      title: `${g.event || 'An event'}: ${inWords(g, g.event)}`,
      detail: `${plural(g.count, 'event')} from ${g.source} held back so far.`,
      href: `/quality?group=${encodeURIComponent(g.id)}`,
      action: 'See how to fix it',
    }));
}

function sourceTasks(sources: Source[] | null, now: number): Task[] {
  return (sources ?? []).flatMap((s): Task[] => {
    const last = parseTime(s.lastSeen);
    if (s.total > 0 && now - last > silentAfter) {
      const detail = `The last of its ${count(s.total)} events came ${span(now - last)} ago. Check that its tag or server still runs.`;
      return [{ level: 'warn', title: `${s.name} is silent`, detail, href: '#sources', action: 'See the sources' }];
    }
    return [];
  });
}
