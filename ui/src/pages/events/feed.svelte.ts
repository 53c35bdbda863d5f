// The events on the page: what the server remembers, then the live tail, drawn at most four times a second.
import { api, live, normalEvent, type APIError } from '../../lib/api';
import { Live } from '../../lib/live.svelte';
import type { EventRow, Status } from '../../lib/schema';
import { arrive, emptyTail, hold, release, withHistory } from '../../lib/tail';

const drawEveryMs = 250;
/** Arrivals between two drawings; more count as dropped. */
const maxBatch = 120;

export class EventFeed {
  tail = $state.raw(emptyTail());
  stream = $state.raw<Live | null>(null);
  error = $state.raw<APIError | null>(null);
  loading = $state(true);

  #batch: EventRow[] = [];
  #dropped = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #abort = new AbortController();

  /** Starts over with another question. */
  open(status: Status | 'all', q: string): void {
    this.close();
    this.tail = emptyTail();
    this.loading = true;
    this.error = null;
    void this.#history(status, q);
    this.stream = new Live(live.events(status, q), {
      on: {
        event: (e) => this.#arrived(e as EventRow),
        dropped: (d) => this.#left((d as { dropped: number }).dropped),
      },
      resumed: () => void this.#history(status, q),
    });
  }

  close(): void {
    this.stream?.close();
    this.#abort.abort();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#batch = [];
    this.#dropped = 0;
  }

  setHold(on: boolean): void {
    this.tail = on ? hold(this.tail) : release(this.tail);
  }

  async #history(status: Status | 'all', q: string): Promise<void> {
    this.#abort.abort();
    const abort = (this.#abort = new AbortController());
    try {
      const rows = await api.events(status, q, 100, abort.signal);
      if (abort.signal.aborted) return;
      this.tail = this.tail.hold ? arrive(this.tail, rows, 0) : withHistory(this.tail, rows);
      this.error = null;
    } catch (e) {
      if (abort.signal.aborted) return;
      this.error = e as APIError;
    }
    this.loading = false;
  }

  #arrived(e: EventRow): void {
    if (this.#batch.length < maxBatch) this.#batch.push(normalEvent(e));
    else this.#dropped++;
    this.#drawSoon();
  }

  #left(n: number): void {
    this.#dropped += n;
    this.#drawSoon();
  }

  #drawSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.tail = arrive(this.tail, this.#batch, this.#dropped);
      this.#batch = [];
      this.#dropped = 0;
    }, drawEveryMs);
  }
}
