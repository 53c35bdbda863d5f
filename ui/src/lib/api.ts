// The client of the HTTP API. Lists that the server leaves out or sends as null arrive here as empty lists.
import type {
  Audit,
  Cluster,
  Incident,
  IncidentCounts,
  IncidentDetail,
  Lineage,
  Proposal,
  Verification,
  Watch,
  Backtest,
  PlanDiff,
  Delivery,
  EventRow,
  Me,
  Overview,
  PlanInfo,
  Problem,
  Quality,
  QuarantineGroups,
  QuarantineJob,
  ReplayFilter,
  ReplayPreview,
  ReplayRepair,
  ReplaySample,
  Sink,
  Source,
  SQLFunction,
  SQLOutline,
  SQLPreview,
  Status,
  TopicDetail,
  TopicGroup,
  TopicInfo,
  TopicMessages,
  View,
  ViewLedger,
  ViewOperator,
  ViewPause,
  ViewRows,
  ViewVerification,
} from './schema';

/** An answer that was not a success, in the words of the server where it gave any. */
export class APIError extends Error {
  constructor(
    message: string,
    readonly hint: string,
    readonly code: string,
    readonly httpStatus: number,
    /** The 1-based character of a statement that it points at; 0: none. */
    readonly position = 0,
  ) {
    super(message.replace(/\.$/, ''));
  }
}

async function call<T>(path: string, init?: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers: { Accept: 'application/json', 'X-Login': 'form', ...init?.headers } });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new APIError('Myelin does not answer', 'Check that it is running, then try again.', 'unreachable', 0);
  }
  const body: unknown = await response.json().catch(() => null);
  if (response.status === 401 && path !== '/api/login') dispatchEvent(new Event('myelin:login'));
  if (!response.ok) throw fromBody(body, response.status);
  if (body === null) throw new APIError('The answer was not understood', 'Reload the page.', 'bad_answer', response.status);
  return body as T;
}

function fromBody(body: unknown, status: number): APIError {
  const e = (body as { error?: { message?: string; hint?: string; code?: string; position?: number } } | null)?.error;
  const fallback = status === 404 ? 'There is nothing here' : status >= 500 ? 'Myelin could not answer this' : 'Myelin refused this';
  return new APIError(e?.message || fallback, e?.hint || 'Try again in a moment.', e?.code || `http_${status}`, status, e?.position ?? 0);
}

const post = <T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> =>
  call<T>(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal });

const list = <T>(v: T[] | null | undefined): T[] => v ?? [];

export const normalOverview = (o: Overview): Overview => ({
  ...o,
  stages: list(o.stages).map((s) => ({ ...s, series: list(s.series) })),
});

export const normalEvent = (e: EventRow): EventRow => ({ ...e, violations: list(e.violations) });

const normalView = (v: View): View => ({ ...v, columns: list(v.columns), key: list(v.key) });

export const api = {
  overview: (signal?: AbortSignal) => call<Overview>('/api/overview', { signal }).then(normalOverview),

  events: (status: Status | 'all', q: string, limit: number, signal?: AbortSignal) =>
    call<{ events: EventRow[] }>(`/api/events?${new URLSearchParams({ limit: String(limit), status, q })}`, { signal }).then((r) =>
      list(r.events).map(normalEvent),
    ),

  quality: (signal?: AbortSignal) =>
    call<Quality>('/api/quality', { signal }).then((r): Quality => ({
      totals: r.totals,
      forgotten: r.forgotten ?? 0,
      groups: list(r.groups).map((g) => ({ ...g, perMinute: list(g.perMinute) })),
    })),

  views: (signal?: AbortSignal) => call<{ views: View[] }>('/api/views', { signal }).then((r) => list(r.views).map(normalView)),

  /** The first rows in the order of a column, largest first. */
  viewRows: (name: string, limit: number, order: string, signal?: AbortSignal) =>
    call<ViewRows>(`/api/views/${encodeURIComponent(name)}?${new URLSearchParams({ limit: String(limit), ...(order && { order, desc: '1' }) })}`, {
      signal,
    }).then((r) => ({
      ...r,
      columns: list(r.columns),
      rows: list(r.rows),
    })),

  operators: (name: string, signal?: AbortSignal) =>
    call<{ operators: ViewOperator[] }>(`/api/views/${encodeURIComponent(name)}/operators`, { signal }).then((r) => list(r.operators)),

  ledger: (name: string, signal?: AbortSignal) => call<ViewLedger>(`/api/views/${encodeURIComponent(name)}/ledger`, { signal }),

  verifyView: (name: string) => post<ViewVerification>(`/api/views/${encodeURIComponent(name)}/verify`, {}),

  pauseView: (name: string, on: boolean) => post<ViewPause>(`/api/views/${encodeURIComponent(name)}/${on ? 'pause' : 'resume'}`, {}),

  sinks: (signal?: AbortSignal) => call<{ sinks: Sink[] }>('/api/sinks', { signal }).then((r) => list(r.sinks)),

  deliveries: (sink: string, limit: number, signal?: AbortSignal) =>
    call<{ deliveries: Delivery[] }>(`/api/sinks/${encodeURIComponent(sink)}/deliveries?limit=${limit}`, { signal }).then((r) =>
      list(r.deliveries),
    ),

  replay: (sink: string) =>
    call<{ replayed?: number }>(`/api/sinks/${encodeURIComponent(sink)}/deadletters/replay`, { method: 'POST' }),

  sources: (signal?: AbortSignal) =>
    call<{ sources: Source[] }>('/api/sources', { signal }).then((r) =>
      list(r.sources).map((s) => ({ ...s, writeKeys: list(s.writeKeys) })),
    ),

  quarantine: (signal?: AbortSignal) =>
    call<QuarantineGroups>('/api/quarantine/groups', { signal }).then((r): QuarantineGroups => ({
      totals: r.totals,
      forgotten: r.forgotten ?? 0,
      groups: list(r.groups).map((g) => ({ ...g, suggested: list(g.suggested), perMinute: list(g.perMinute) })),
    })),

  heldSamples: (group: string, limit: number, signal?: AbortSignal) =>
    call<{ samples: ReplaySample[] }>(`/api/quarantine/samples?${new URLSearchParams({ group, limit: String(limit) })}`, { signal }).then((r) => list(r.samples)),

  repairPreview: (filter: ReplayFilter, repairs: ReplayRepair[], signal?: AbortSignal) =>
    post<ReplayPreview>('/api/quarantine/preview', { filter, repairs, limit: 6 }, signal).then((r) => ({ ...r, samples: list(r.samples), remaining: list(r.remaining) })),

  replayHeld: (filter: ReplayFilter, repairs: ReplayRepair[], reason: string) =>
    post<QuarantineJob>('/api/quarantine/replay', { filter, repairs, all: false, reason }),

  discardHeld: (filter: ReplayFilter, reason: string) => post<QuarantineJob>('/api/quarantine/discard', { filter, reason }),

  jobs: (signal?: AbortSignal) => call<{ jobs: QuarantineJob[] }>('/api/quarantine/jobs', { signal }).then((r) => list(r.jobs)),

  job: (id: string, signal?: AbortSignal) => call<QuarantineJob>(`/api/quarantine/jobs/${encodeURIComponent(id)}`, { signal }),

  cancelJob: (id: string) => post<QuarantineJob>(`/api/quarantine/jobs/${encodeURIComponent(id)}/cancel`, {}),

  muteCause: (group: string, reason: string) => post<unknown>('/api/quarantine/mute', { group, reason }),

  unmuteCause: (group: string) => post<unknown>('/api/quarantine/unmute', { group }),

  plans: (signal?: AbortSignal) => call<{ plans: PlanInfo[] }>('/api/plan', { signal }).then((r) => list(r.plans)),

  incidents: (state: string, signal?: AbortSignal) =>
    call<{ incidents: Incident[]; counts: IncidentCounts }>(`/api/incidents?${new URLSearchParams({ ...(state && { state }), limit: '200' })}`, { signal }).then((r) => ({
      ...r,
      incidents: list(r.incidents),
    })),

  incident: (id: string, signal?: AbortSignal) =>
    call<IncidentDetail>(`/api/incidents/${encodeURIComponent(id)}`, { signal }).then((r) => ({
      ...r,
      causes: list(r.causes),
      members: list(r.members),
      samples: list(r.samples),
      series: list(r.series),
      history: list(r.history),
    })),

  /** Until when it is muted; null: as long as the server thinks right. */
  handle: (id: string, verb: 'acknowledge' | 'mute' | 'unmute' | 'resolve', comment: string, until: Date | null = null) =>
    post<Incident>(`/api/incidents/${encodeURIComponent(id)}/${verb}`, { comment, until: until?.toISOString() ?? null }),

  watch: (signal?: AbortSignal) =>
    call<Watch>('/api/watch', { signal }).then((r) => ({ ...r, sources: list(r.sources).map((x) => ({ ...x, events: list(x.events), releases: list(x.releases) })), columns: list(r.columns) })),

  lineage: (signal?: AbortSignal) => call<Lineage>('/api/lineage', { signal }).then((r) => ({ ...r, nodes: list(r.nodes).map((n) => (n.id === 'event:*' ? { ...n, name: 'every event' } : n)), edges: list(r.edges) })),

  proposals: (signal?: AbortSignal) => call<{ proposals: Proposal[] }>('/api/proposals', { signal }).then((r) => list(r.proposals)),

  decide: (id: string, verb: 'approve' | 'reject' | 'withdraw' | 'apply', comment: string) =>
    post<Proposal>(`/api/proposals/${encodeURIComponent(id)}/${verb}`, { comment }),

  audit: (limit: number, signal?: AbortSignal) => call<Audit>(`/api/audit?limit=${limit}`, { signal }).then((r) => ({ ...r, entries: list(r.entries) })),

  verifyAudit: (signal?: AbortSignal) => call<Verification>('/api/audit/verify', { signal }).then((r) => ({ ...r, breaks: list(r.breaks) })),

  planDiff: (text: string, file: string, signal?: AbortSignal) =>
    post<PlanDiff>('/api/plan/diff', { text, file }, signal).then((r) => ({ ...r, problems: list(r.problems), changes: list(r.changes), bumps: list(r.bumps), breaks: list(r.breaks) })),

  backtest: (text: string, file: string, days: number, signal?: AbortSignal) =>
    post<Backtest>('/api/plan/backtest', { text, file, days }, signal).then((r) => ({ ...r, rows: list(r.rows) })),

  propose: (text: string, file: string, title: string, reason: string) => post<{ id: string; state: string; file: string }>('/api/plan/propose', { text, file, title, reason }),

  me: (signal?: AbortSignal) => call<Me>('/api/me', { signal }),

  login: (name: string, password: string) => post<unknown>('/api/login', { name, password }),

  logout: () => post<unknown>('/api/logout', {}),

  sqlFunctions: (signal?: AbortSignal) =>
    call<{ functions: SQLFunction[] }>('/api/sql/functions', { signal }).then((r) => list(r.functions)),

  explain: (sql: string, signal?: AbortSignal) => post<SQLOutline>('/api/sql/explain', { sql }, signal),

  preview: (sql: string, signal?: AbortSignal) => post<SQLPreview>('/api/sql/preview', { sql }, signal),

  /** Runs one statement; a SELECT gives at most so many rows. */
  run: (sql: string, limit: number, signal?: AbortSignal) => post<ViewRows>('/api/query', { sql, limit }, signal),

  topics: (signal?: AbortSignal) => call<{ topics: TopicInfo[] }>('/api/topics', { signal }).then((r) => list(r.topics)),

  topic: (name: string, signal?: AbortSignal) => call<TopicDetail>(`/api/topics/${encodeURIComponent(name)}`, { signal }),

  messages: (topic: string, ask: Record<string, string>, signal?: AbortSignal) =>
    call<TopicMessages>(`/api/topics/${encodeURIComponent(topic)}/messages?${new URLSearchParams(ask)}`, { signal }),

  groups: (signal?: AbortSignal) => call<{ groups: TopicGroup[] }>('/api/groups', { signal }).then((r) => list(r.groups)),

  cluster: (signal?: AbortSignal) =>
    call<Cluster>('/api/cluster', { signal }).then((r): Cluster => ({
      ...r,
      nodes: list(r.nodes),
      tasks: list(r.tasks).map((t) => ({ ...t, views: list(t.views) })),
    })),

  problems: (signal?: AbortSignal) => call<{ problems: Problem[] }>('/api/problems', { signal }).then((r) => list(r.problems)),
};

/** Addresses of the live streams (server-sent events). */
export const live = {
  overview: '/api/overview/live',
  incidents: '/api/incidents/live',
  events: (status: Status | 'all', q: string) => `/api/events/live?${new URLSearchParams({ status, q })}`,
  /** Changes of a view. The rows themselves are better asked for, in order; the stream's own come in none. */
  view: (name: string) => `/api/views/${encodeURIComponent(name)}/live?limit=1`,
};
