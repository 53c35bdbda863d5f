// Two versions of a text file as lines that stayed, went and came.
export interface Line {
  kind: 'same' | 'added' | 'removed' | 'gap';
  text: string;
}

const around = 2;
const most = 3000;

/** Changed lines with two lines around each; what is left out between is one line of dots. */
export function changedLines(before: string, after: string): Line[] {
  const a = before.split('\n').slice(0, most);
  const b = after.split('\n').slice(0, most);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const all: Line[] = [
    ...a.slice(0, head).map((text): Line => ({ kind: 'same', text })),
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...a.slice(a.length - tail).map((text): Line => ({ kind: 'same', text })),
  ];
  const near = all.map((_, i) => all.slice(Math.max(0, i - around), i + around + 1).some((l) => l.kind !== 'same'));
  const out: Line[] = [];
  for (const [i, l] of all.entries()) {
    if (near[i]) out.push(l);
    else if (out.at(-1)?.kind !== 'gap') out.push({ kind: 'gap', text: '…' });
  }
  return out;
}

/** The longest common lines stay. Where that would take too long, everything goes and comes. */
function middle(a: string[], b: string[]): Line[] {
  const removed = (text: string): Line => ({ kind: 'removed', text });
  const added = (text: string): Line => ({ kind: 'added', text });
  if (a.length * b.length > 1_000_000) return [...a.map(removed), ...b.map(added)];
  const w = b.length + 1;
  const best = new Uint32Array((a.length + 1) * w);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      best[i * w + j] = a[i] === b[j] ? best[(i + 1) * w + j + 1]! + 1 : Math.max(best[(i + 1) * w + j]!, best[i * w + j + 1]!);
    }
  }
  const out: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ kind: 'same', text: a[i++]! });
      j++;
    } else if (j < b.length && (i === a.length || best[i * w + j + 1]! > best[(i + 1) * w + j]!)) out.push(added(b[j++]!));
    else out.push(removed(a[i++]!));
  }
  return out;
}
