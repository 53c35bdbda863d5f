// Addresses of the pages, by the history API. The server answers index.html for every address that is not a file or the API.
import { match } from './route';

class Router {
  url = $state.raw(new URL(location.href));
  route = $derived(match(this.url.pathname));
  /** Counts page changes made by the reader, so that focus can move to the new page. */
  visits = $state(0);

  constructor() {
    addEventListener('popstate', () => {
      this.url = new URL(location.href);
      this.visits++;
    });
    document.addEventListener('click', (e) => this.#click(e));
  }

  go(to: string): void {
    const next = new URL(to, location.href);
    const samePage = next.pathname === this.url.pathname;
    history.pushState(null, '', next);
    this.url = next;
    if (!samePage) scrollTo(0, 0);
    this.visits++;
  }

  /** Changes the query of this page without a new entry in the history. An empty value removes its key. */
  query(change: Record<string, string>): void {
    const next = new URL(this.url);
    for (const [k, v] of Object.entries(change)) {
      if (v) next.searchParams.set(k, v);
      else next.searchParams.delete(k);
    }
    history.replaceState(null, '', next);
    this.url = next;
  }

  // Links are plain <a href>: open in a new tab, copy, middle click keep working.
  #click(e: MouseEvent): void {
    if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    const a = (e.target as Element | null)?.closest?.('a');
    if (!a || a.target || a.hasAttribute('download') || a.origin !== location.origin) return;
    if (a.hash && a.pathname === location.pathname) return;
    if (match(a.pathname).page === 'missing') return;
    e.preventDefault();
    this.go(a.href);
  }
}

export const router = new Router();
