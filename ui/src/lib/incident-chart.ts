// What the chart of an incident shows beside the numbers: how far chance alone takes them, and the moments that matter.
import { parseTime } from './format';
import type { Incident } from './schema';

/** Counts of independent events vary by the root of what is expected; three times that is hardly ever chance. */
export function band(expected: number[]): { low: number; high: number }[] {
  return expected.map((e) => {
    const give = 3 * Math.sqrt(Math.max(0, e));
    return { low: Math.max(0, Math.floor(e - give)), high: Math.ceil(e + give) };
  });
}

export interface Mark {
  kind: 'release' | 'moment';
  at: number;
  text: string;
}

/** The moments that lie between from and to, the earliest first. */
export function marksOf(i: Pick<Incident, 'startedAt' | 'detectedAt' | 'resolvedAt' | 'firstBadRelease'>, from: number, to: number): Mark[] {
  const marks: Mark[] = [
    { kind: 'release', at: parseTime(i.firstBadRelease?.firstSeen), text: `Release ${i.firstBadRelease?.version ?? ''}` },
    { kind: 'moment', at: parseTime(i.startedAt), text: 'Began' },
    { kind: 'moment', at: parseTime(i.detectedAt), text: 'Noticed' },
    { kind: 'moment', at: parseTime(i.resolvedAt), text: 'Over' },
  ];
  return marks.filter((m) => m.at >= from && m.at <= to).sort((a, b) => a.at - b.at).slice(0, 3);
}
