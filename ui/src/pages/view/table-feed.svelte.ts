// The rows of one view: a snapshot and then changes, drawn at most five times a second.
import { live } from '../../lib/api';
import { Live } from '../../lib/live.svelte';
import { applyChanges, emptyTable, snapshot } from '../../lib/rows';
import type { Column, Row, RowChange } from '../../lib/schema';

const drawEveryMs = 200;
const maxPending = 5000;

export class TableFeed {
  table = $state.raw(emptyTable());
  ready = $state(false);
  readonly stream: Live;

  #changes: RowChange[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** key gives the key columns by the time the snapshot comes. */
  constructor(
    name: string,
    readonly key: () => string[],
  ) {
    this.stream = new Live(live.view(name), {
      on: {
        snapshot: (s) => this.#start(s as { columns: Column[] | null; rows: Row[] | null; step: number }),
        change: (c) => this.#change(c as RowChange),
      },
    });
  }

  close(): void {
    this.stream.close();
    clearTimeout(this.#timer);
  }

  #start(s: { columns: Column[] | null; rows: Row[] | null; step: number }): void {
    this.#changes = [];
    this.table = snapshot(s.columns ?? [], this.key(), s.rows ?? [], s.step);
    this.ready = true;
  }

  #change(c: RowChange): void {
    this.#changes.push(c);
    if (this.#changes.length > maxPending) this.#draw();
    this.#timer ??= setTimeout(() => this.#draw(), drawEveryMs);
  }

  #draw(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.table = applyChanges(this.table, this.#changes, Date.now());
    this.#changes = [];
  }
}
