// A live stream from the server (server-sent events) with its visible state. It closes while the tab is hidden: browsers
// allow six connections per host, and a hidden tab needs none.
import { initial, reduce, type Happening, type Link } from './sse';

export interface Feed {
  /** Handlers by event name; data is parsed JSON. */
  on: Record<string, (data: unknown) => void>;
  /** Without any message for this long the link counts as broken. 0 = never. */
  silenceMs?: number;
  /** Called when the stream was away and starts again. */
  resumed?: () => void;
}

export class Live {
  link = $state<Link>(initial);

  #source: EventSource | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #wasAway = false;
  #closed = false;

  constructor(
    readonly url: string,
    readonly feed: Feed,
  ) {
    document.addEventListener('visibilitychange', this.#visibility);
    if (document.hidden) this.#happen({ kind: 'pause' });
    else this.#dial();
  }

  /** Ends the stream for good. */
  close(): void {
    this.#closed = true;
    document.removeEventListener('visibilitychange', this.#visibility);
    this.#hangUp();
  }

  /** Tries now, not when the wait is over. */
  retryNow = (): void => {
    if (!this.#closed && this.link.phase === 'waiting') this.#dial();
  };

  #visibility = (): void => {
    if (document.hidden) {
      this.#hangUp();
      this.#wasAway = true;
      this.#happen({ kind: 'pause' });
      return;
    }
    if (this.link.phase === 'paused') this.#dial();
  };

  #happen(h: Happening): void {
    this.link = reduce(this.link, h);
  }

  #dial(): void {
    this.#hangUp();
    this.#happen({ kind: 'dial' });
    const source = new EventSource(this.url);
    this.#source = source;
    source.onopen = () => {
      this.#happen({ kind: 'open' });
      this.#heard();
      if (this.#wasAway) this.feed.resumed?.();
      this.#wasAway = false;
    };
    source.onerror = () => this.#fail();
    for (const [name, handle] of Object.entries(this.feed.on)) {
      source.addEventListener(name, (e) => {
        this.#happen({ kind: 'message' });
        this.#heard();
        handle(JSON.parse((e as MessageEvent<string>).data));
      });
    }
  }

  // The browser's own retry gives up on some answers (a proxy's 502, say) and says nothing; ours never does.
  #fail(): void {
    this.#hangUp();
    this.#wasAway = true;
    this.#happen({ kind: 'fail', now: Date.now(), random: Math.random() });
    this.#retry = setTimeout(() => this.#dial(), Math.max(0, this.link.retryAt - Date.now()));
  }

  #heard(): void {
    clearTimeout(this.#silence);
    if (this.feed.silenceMs) this.#silence = setTimeout(() => this.#fail(), this.feed.silenceMs);
  }

  #hangUp(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    this.#source?.close();
    this.#source = null;
  }
}
