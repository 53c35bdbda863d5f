// The rows of one view. The stream tells from which step on it will report changes; the rows are then asked for in order,
// largest first, so that of a view too large to show it is the newest or the top that shows. What changed meanwhile is
// kept and applied on top. Drawn at most five times a second.
import { api, live, type APIError } from '../../lib/api';
import { leadingColumn } from '../../lib/chart-data';
import { Live } from '../../lib/live.svelte';
import { applyChanges, emptyTable, keyColumns, maxRows, snapshot } from '../../lib/rows';
import type { RowChange, View } from '../../lib/schema';

const drawEveryMs = 200;
const maxPending = 5000;
const rateOverMs = 10_000;

export class TableFeed {
  table = $state.raw(emptyTable());
  ready = $state(false);
  error = $state.raw<APIError | null>(null);
  /** Changed rows of the last seconds, by the moment they were drawn. */
  recent = $state.raw<{ at: number; rows: number }[]>([]);
  /** The column that rows are sorted by until the reader chooses another; -1 = none. */
  readonly leading: number;
  readonly stream: Live;

  #changes: RowChange[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #abort = new AbortController();

  constructor(readonly view: View) {
    this.leading = leadingColumn(view.columns, keyColumns(view.columns, view.key));
    this.stream = new Live(live.view(view.name), {
      on: { snapshot: () => void this.load(), change: (c) => this.#change(c as RowChange) },
    });
  }

  /** Changed rows per second lately, as seen from here. */
  ratePerSec(now: number): number {
    return this.recent.reduce((a, r) => a + (now - r.at < rateOverMs ? r.rows : 0), 0) / (rateOverMs / 1000);
  }

  close(): void {
    this.stream.close();
    this.#abort.abort();
    clearTimeout(this.#timer);
  }

  /** Fetches the rows anew. */
  load = async (): Promise<void> => {
    this.#abort.abort();
    const abort = (this.#abort = new AbortController());
    this.#changes = [];
    try {
      const r = await api.viewRows(this.view.name, maxRows, this.view.columns[this.leading]?.name ?? '', abort.signal);
      if (abort.signal.aborted) return;
      this.table = snapshot(r.columns, this.view.key, r.rows, r.step);
      this.error = null;
      this.ready = true;
      this.#draw();
    } catch (e) {
      if (!abort.signal.aborted) this.error = e as APIError;
    }
  };

  #change(c: RowChange): void {
    this.#changes.push(c);
    if (this.#changes.length > maxPending) void this.load();
    else this.#timer ??= setTimeout(() => this.#draw(), drawEveryMs);
  }

  #draw(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.ready || this.#changes.length === 0) return;
    const now = Date.now();
    const rows = this.#changes.reduce((a, c) => a + (c.upserts?.length ?? 0) + (c.deletes?.length ?? 0), 0);
    this.recent = [...this.recent.filter((r) => now - r.at < rateOverMs), { at: now, rows }];
    this.table = applyChanges(this.table, this.#changes, now);
    this.#changes = [];
  }
}
