// What topics and groups are doing, in words.
import type { Tone } from '../components/Tag.svelte';
import type { IconName } from '../components/Icon.svelte';
import { bytes, span } from './format';
import type { TopicGroup, TopicInfo } from './schema';

/** How long messages stay: "7 d", "1 GB a partition", "the latest of each key". */
export function keeps(t: Pick<TopicInfo, 'retentionMs' | 'retentionBytes' | 'cleanup'>): string {
  const parts: string[] = [];
  if (t.cleanup.includes('compact')) parts.push('latest of each key');
  if (t.cleanup.includes('delete')) {
    if (t.retentionMs >= 0) parts.push(span(t.retentionMs));
    if (t.retentionBytes >= 0) parts.push(`${bytes(t.retentionBytes)} a partition`);
    if (parts.length === 0) parts.push('for ever');
  }
  return parts.join(', ');
}

/** Whether a group reads, and keeps up. */
export function groupState(g: TopicGroup): { tone: Tone; icon: IconName; text: string } {
  if (g.problem) return { tone: 'bad', icon: 'warn', text: 'Does not answer' };
  const state = g.state.toLowerCase();
  if (state === 'empty' || g.members.length === 0) return { tone: g.lag > 0 ? 'warn' : 'quiet', icon: 'pause', text: 'Nobody reads' };
  if (state !== 'stable') return { tone: 'fixed', icon: 'clock', text: 'Sharing out anew' };
  return { tone: 'valid', icon: 'check', text: 'Reading' };
}
