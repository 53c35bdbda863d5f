// Something fetched from the server, refreshed every so often while the tab is visible. Keeps the last good answer when a
// refresh goes wrong, so that a hiccup never empties the page.
import { onDestroy } from 'svelte';
import { APIError } from './api';

export class Resource<T> {
  data = $state.raw<T | null>(null);
  error = $state.raw<APIError | null>(null);
  loading = $state(true);

  #load: (signal: AbortSignal) => Promise<T>;
  #abort = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #run = 0;

  /** Must be called while a component starts; ends with it. everyMs 0 = fetched once. */
  constructor(
    load: (signal: AbortSignal) => Promise<T>,
    readonly everyMs = 0,
  ) {
    this.#load = load;
    document.addEventListener('visibilitychange', this.#visibility);
    void this.refresh();
    onDestroy(() => {
      document.removeEventListener('visibilitychange', this.#visibility);
      this.#stop();
    });
  }

  /** Fetches again now; an answer still under way is dropped. */
  refresh = async (): Promise<void> => {
    this.#stop();
    const run = ++this.#run;
    this.#abort = new AbortController();
    try {
      const data = await this.#load(this.#abort.signal);
      if (run !== this.#run) return;
      this.data = data;
      this.error = null;
    } catch (e) {
      if (run !== this.#run) return;
      this.error = e instanceof APIError ? e : new APIError('Something went wrong on this page', String(e), 'page', 0);
    }
    this.loading = false;
    if (this.everyMs > 0 && !document.hidden) this.#timer = setTimeout(this.refresh, this.everyMs);
  };

  /** Fetches something else from here on, forgetting what was there. */
  reload = (load: (signal: AbortSignal) => Promise<T>): void => {
    this.#load = load;
    this.data = null;
    this.error = null;
    this.loading = true;
    void this.refresh();
  };

  #visibility = (): void => {
    if (document.hidden) clearTimeout(this.#timer);
    else if (this.everyMs > 0) void this.refresh();
  };

  #stop(): void {
    this.#run++;
    clearTimeout(this.#timer);
    this.#abort.abort();
  }
}
