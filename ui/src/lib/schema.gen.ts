// Code generated from /api/openapi.json by scripts/schema.mjs. DO NOT EDIT.

export interface Acknowledged {
  success: boolean;
}

export interface Applied {
  created: string[];
  /** not declared any more, and kept because prune was not asked for */
  kept: string[];
  problems: Problem[];
  removed: string[];
  updated: string[];
}

export interface AuditHead {
  hash: string;
  seq: number;
}

export interface AuditLog {
  entries: GovernanceEntry[];
  /** of this node's chain: who notes it elsewhere can show later that nothing was cut off */
  head: AuditHead;
}

export interface Backtest {
  /** by the new plan */
  after: BacktestCounts;
  /** by the plan in force */
  before: BacktestCounts;
  /** false: there was more traffic than could be looked at in time; the counts are of what was */
  complete: boolean;
  from: string;
  plan: string;
  problems: Problem[];
  /** per event and app version, the largest change first */
  rows: BacktestRow[];
  to: string;
}

export interface BacktestCounts {
  fixed: number;
  quarantined: number;
  total: number;
  valid: number;
  warn: number;
}

export interface BacktestReason {
  code: string;
  count: number;
  path: string;
}

export interface BacktestRow {
  after: BacktestCounts;
  appVersion: string;
  before: BacktestCounts;
  event: string;
  /** why events would be quarantined, the commonest first */
  reasons: BacktestReason[];
  /** in words; empty where nothing changes */
  sentence: string;
  /** share that would be quarantined */
  share: number;
  source: string;
}

export interface Balance {
  accepted: number;
  /** right after a start: what is in and pending is not all known yet */
  counting: boolean;
  /** of those quarantined: given up by a person */
  discarded: number;
  duplicates: number;
  in: number;
  pending: number;
  quarantined: number;
  /** of those that came in: come again from quarantine */
  replayed: number;
  /** of those quarantined: still there and neither replayed nor discarded */
  waiting: number;
}

export interface Change {
  /** keys, or whole rows where the view has no key */
  deletes: unknown[];
  step: number;
  upserts: unknown[];
}

export interface Cluster {
  node: string;
  nodes: ClusterNode[];
  tasks: ClusterTask[];
}

export interface ClusterNode {
  address: string;
  heardAt: string;
  keeper: boolean;
  name: string;
  roles: string[];
  silent: boolean;
  startedAt: string;
  tasks: number[];
  version: string;
}

export interface ClusterTask {
  behind: number;
  lagMs: number;
  node: string;
  restoring: boolean;
  since: string | null;
  task: number;
  views: string[];
}

export interface Deliveries {
  deliveries: Delivery[];
}

export interface Delivery {
  at: string;
  attempts: number;
  error: string;
  httpStatus: number;
  key: string;
  payload: unknown;
  /** delivered, dead_lettered, suppressed or duplicate */
  status: 'delivered' | 'dead_lettered' | 'suppressed' | 'duplicate';
}

export interface Dropped {
  dropped: number;
}

export interface Endpoints {
  http: string;
  kafka: string;
  postgres: string;
}

export interface EventRow {
  event: string;
  /** the whole event */
  json: unknown;
  messageId: string;
  offset: number;
  partition: number;
  receivedAt: string;
  source: string;
  /** valid, warn, fixed or quarantined */
  status: 'valid' | 'warn' | 'fixed' | 'quarantined';
  timestamp: string;
  type: string;
  userKey: string;
  violations: Violation[];
}

export interface Events {
  events: EventRow[];
}

export interface Failure {
  error: FailureBody;
}

export interface FailureBody {
  code: string;
  hint: string;
  message: string;
  position?: number;
}

export interface GovernanceBreak {
  chain: string;
  reason: string;
  seq: number;
}

export interface GovernanceDecision {
  actor: string;
  at: string;
  comment: string;
  role: string;
  verb: string;
}

export interface GovernanceEntry {
  action: string;
  actor: string;
  at: string;
  chain: string;
  detail?: unknown;
  hash: string;
  object: string;
  prev: string;
  role: string;
  seq: number;
  v: number;
}

export interface GovernanceProposal {
  author: string;
  base: string;
  createdAt: string;
  decisions: GovernanceDecision[];
  file: string;
  id: string;
  reason: string;
  role: string;
  state: string;
  summary?: unknown;
  text: string;
  title: string;
  updatedAt: string;
}

export interface GovernanceVerification {
  breaks: GovernanceBreak[];
  entries: number;
  heads: unknown;
  intact: boolean;
}

export interface Handling {
  comment: string;
  /** of mute; a day if there is none */
  until: string | null;
}

export interface Health {
  status: string;
}

export interface Incident {
  affectedEvents: number;
  assignee: string;
  causes: WatchCause[];
  column: string;
  detectedAt: string;
  event: string;
  expected: number;
  explanation: string;
  firstBadRelease: WatchRelease | null;
  history: IncidentStep[];
  id: string;
  kind: string;
  members: IncidentMember[];
  mutedUntil: string | null;
  nextStep: string;
  observed: number;
  property: string;
  /** recovered, by hand, new normal, or nothing followed */
  resolution: string;
  resolvedAt: string | null;
  samples: unknown[];
  sent?: unknown;
  series: WatchPoint[];
  severity: string;
  source: string;
  startedAt: string;
  state: string;
  title: string;
  /** share, events, ratio, values or value */
  unit: 'share' | 'events' | 'ratio' | 'values' | 'value';
  updatedAt: string;
  view: string;
}

export interface IncidentCounts {
  acknowledged: number;
  muted: number;
  open: number;
  resolved: number;
}

export interface IncidentDetail {
  affectedEvents: number;
  assignee: string;
  blast: LineageBlast;
  causes: WatchCause[];
  column: string;
  detectedAt: string;
  event: string;
  expected: number;
  explanation: string;
  firstBadRelease: WatchRelease | null;
  history: IncidentStep[];
  id: string;
  kind: string;
  members: IncidentMember[];
  mutedUntil: string | null;
  nextStep: string;
  observed: number;
  property: string;
  /** recovered, by hand, new normal, or nothing followed */
  resolution: string;
  resolvedAt: string | null;
  samples: unknown[];
  sent?: unknown;
  series: WatchPoint[];
  severity: string;
  source: string;
  startedAt: string;
  state: string;
  title: string;
  /** share, events, ratio, values or value */
  unit: 'share' | 'events' | 'ratio' | 'values' | 'value';
  updatedAt: string;
  view: string;
}

export interface IncidentList {
  counts: IncidentCounts;
  incidents: Incident[];
}

export interface IncidentMember {
  column: string;
  event: string;
  expected: number;
  kind: string;
  note: string;
  observed: number;
  over: boolean;
  property: string;
  since: string;
  source: string;
  unit: string;
  value: string;
  view: string;
}

export interface IncidentStep {
  actor: string;
  at: string;
  comment: string;
  verb: string;
}

export interface Inferred {
  /** false: there was more traffic than could be looked at in time */
  complete: boolean;
  /** how many events it was learned from */
  events: number;
  /** the plan file */
  text: string;
}

export interface JobRequest {
  /** also send events that still break the plan */
  all?: boolean;
  /** confirms a filter that selects all that waits; without it a replay needs a filter */
  everything?: boolean;
  filter: ReplayFilter;
  /** kept in the ledger; a discard needs one */
  reason?: string;
  /** for a replay */
  repairs?: ReplayRepair[];
}

export interface LineageBlast {
  dashboards: string[];
  nodes: string[];
  sinks: string[];
  views: string[];
}

export interface LineageEdge {
  from: string;
  health: string;
  incidents: string[];
  /** sends, carries, computes, filters, has, delivers or shows */
  kind: 'sends' | 'carries' | 'computes' | 'filters' | 'has' | 'delivers' | 'shows';
  ratePerHour: number;
  to: string;
}

export interface LineageGraph {
  edges: LineageEdge[];
  focus: string;
  nodes: LineageNode[];
}

export interface LineageNode {
  /** ok, warning, critical or unknown */
  health: 'ok' | 'warning' | 'critical' | 'unknown';
  /** of a source or an event: how many wait in quarantine, and so are missing downstream */
  heldBack: number;
  id: string;
  inBlast: boolean;
  incidents: string[];
  /** source, event, property, table, view, column, sink or dashboard */
  kind: 'source' | 'event' | 'property' | 'table' | 'view' | 'column' | 'sink' | 'dashboard';
  name: string;
  note: string;
  /** the event of a property, the view of a column */
  parent: string;
}

export interface Login {
  name: string;
  password: string;
}

export interface Me {
  loggedIn: boolean;
  may: string[];
  name: string;
  role: string;
}

export interface MuteRequest {
  group: string;
  reason?: string;
  /** absent: for good */
  until?: string | null;
}

export interface Overview {
  at: string;
  balance: Balance;
  endpoints: Endpoints;
  stages: Stage[];
  startedAt: string;
  version: string;
}

export interface PlanBroken {
  /** view or sink */
  kind: 'view' | 'sink';
  message: string;
  name: string;
}

export interface PlanBump {
  before: string;
  enough: boolean;
  event: string;
  suggested: string;
  /** the version in the new text */
  written: string;
}

export interface PlanChange {
  /** how many days of traffic a backtest looks at (7) */
  days?: number;
  /** its name; the file of the plan with the same name if absent */
  file?: string;
  /** the whole file */
  text: string;
}

export interface PlanDelta {
  after: string;
  before: string;
  /** breaking, compatible or cosmetic */
  class: 'breaking' | 'compatible' | 'cosmetic';
  event: string;
  /** model, revision or addition: the part of the version that should be raised; empty: none */
  level: string;
  /** JSON pointer into the event; empty: the event itself */
  path: string;
  /** in words */
  what: string;
}

export interface PlanDiff {
  breaking: boolean;
  /** views and sinks that would not work any more */
  breaks: PlanBroken[];
  /** events whose version should be raised */
  bumps: PlanBump[];
  changes: PlanDelta[];
  plan: string;
  /** what is wrong with the text; then nothing else is said */
  problems: Problem[];
}

export interface PlanEvent {
  description: string;
  expect: PlanExpect | null;
  health: PlanHealth;
  name: string;
  owner: string;
  properties: PlanProperty[];
  /** name of its stream in SQL */
  stream: string;
  /** track, page, screen, identify, group or alias */
  type: 'track' | 'page' | 'screen' | 'identify' | 'group' | 'alias';
  unique: PlanUnique | null;
  version: string;
  /** older versions that are still accepted */
  versions: PlanVersion[];
}

export interface PlanExpect {
  high: number;
  low: number;
  max: number;
  min: number;
  per: string;
  ratioTo: string;
}

export interface PlanHealth {
  fixed: number;
  /** ids of groups of the quality page and of quarantine */
  groups: string[];
  lastHour: number;
  lastSeen: string | null;
  quarantined: number;
  warned: number;
}

export interface PlanInfo {
  description: string;
  events: PlanEvent[];
  file: string;
  name: string;
  owner: string;
  /** who must follow it */
  sources: string[];
  /** the file as it is in force */
  text: string;
}

export interface PlanProperty {
  description: string;
  health: PlanHealth;
  name: string;
  owner: string;
  pii: string;
  required: boolean;
  /** what else it must be, in short */
  rule: string;
  transform: string;
  type: string;
}

export interface PlanProposal {
  file?: string;
  reason?: string;
  text: string;
  title: string;
}

export interface PlanUnique {
  key: string;
  /** several processes share the work: a value that comes again is surely found among the events of one person, and among those of others only where the same process releases both */
  shared: boolean;
  within: string;
}

export interface PlanVersion {
  /** which app versions it is for */
  appVersion: string;
  properties: PlanProperty[];
  version: string;
}

export interface Plans {
  plans: PlanInfo[];
}

export interface PreviewRequest {
  filter: ReplayFilter;
  /** most samples (6; up to 50) */
  limit?: number;
  repairs?: ReplayRepair[];
}

export interface Problem {
  column: number;
  file: string;
  hint: string;
  line: number;
  message: string;
}

export interface Problems {
  problems: Problem[];
}

export interface ProposalList {
  proposals: GovernanceProposal[];
}

export interface Proposed {
  file: string;
  id: string;
  state: string;
}

export interface Quality {
  /** causes that are not listed any more, because there were too many; those that were quiet for longest go first */
  forgotten: number;
  groups: QualityGroup[];
  totals: QualityTotals;
}

export interface QualityGroup {
  code: string;
  count: number;
  event: string;
  expected: string;
  explanation: string;
  firstSeen: string;
  got: string;
  id: string;
  lastSeen: string;
  nextStep: string;
  path: string;
  /** count in each of the last 60 minutes, oldest first */
  perMinute: number[];
  sample: unknown;
  severity: string;
  source: string;
  status: string;
}

export interface QualityTotals {
  checked: number;
  fixed: number;
  quarantined: number;
  valid: number;
  warn: number;
}

export interface QuarantineGroup {
  code: string;
  count: number;
  discarded: number;
  event: string;
  expected: string;
  explanation: string;
  firstSeen: string;
  got: string;
  id: string;
  lastSeen: string;
  muted: ReplayMute | null;
  nextStep: string;
  path: string;
  /** count in each of the last 60 minutes, oldest first */
  perMinute: number[];
  replayed: number;
  sample: unknown;
  severity: string;
  source: string;
  status: string;
  /** repairs that often help; try them in a preview */
  suggested: ReplayRepair[];
  waiting: number;
}

export interface QuarantineGroups {
  /** causes that are not listed any more, because there were too many; their events wait all the same */
  forgotten: number;
  groups: QuarantineGroup[];
  totals: QuarantineTotals;
}

export interface QuarantineJob {
  /** of those sent: released into the governed topic */
  accepted: number;
  /** also send events that still break the plan */
  all?: boolean;
  by?: string;
  counts: ReplayCounts;
  createdAt: string;
  error: string;
  /** confirms a filter that selects all that waits */
  everything?: boolean;
  filter: ReplayFilter;
  finishedAt: string | null;
  id: string;
  /** replay or discard */
  kind: 'replay' | 'discard';
  /** the tracking plans by which was judged; more than one when they were changed meanwhile */
  plans: string[];
  /** 0 to 1 */
  progress: number;
  /** why; needed to discard */
  reason?: string;
  /** of those sent: quarantined again */
  rejected: number;
  repairs?: ReplayRepair[];
  /** pending, running, done, failed or cancelled */
  state: 'pending' | 'running' | 'done' | 'failed' | 'cancelled';
}

export interface QuarantineJobs {
  jobs: QuarantineJob[];
}

export interface QuarantineSamples {
  samples: ReplaySample[];
}

export interface QuarantineTotals {
  discarded: number;
  replayed: number;
  waiting: number;
}

export interface QueryRequest {
  /** most rows to return (1000) */
  limit?: number;
  params?: unknown[];
  sql: string;
}

export interface Remark {
  comment: string;
}

export interface ReplayCounts {
  discarded: number;
  /** at most so many had been deleted from quarantine before the job came to them; markers of transactions are counted with them */
  lost: number;
  matched: number;
  read: number;
  /** not sent, because an event with the same messageId was accepted before */
  repeats: number;
  /** sent through the doorstep again */
  sent: number;
  /** replayed or discarded before */
  skipped: number;
  /** left in quarantine because they still break the plan */
  stillBroken: number;
  total: number;
}

export interface ReplayFilter {
  /** violation codes */
  codes?: string[];
  /** names of events */
  events?: string[];
  /** received at or after */
  from?: string | null;
  /** ids of groups: an event with any of these causes is selected */
  groups?: string[];
  messageIds?: string[];
  sources?: string[];
  /** received before */
  to?: string | null;
}

export interface ReplayFinding {
  code: string;
  expected: string;
  got: string;
  path: string;
  severity: string;
}

export interface ReplayMute {
  at: string;
  by: string;
  group: string;
  reason: string;
  /** null: for good */
  until: string | null;
}

export interface ReplayPreview {
  /** false: there are more events than could be looked at in time; the counts are of those that were */
  complete: boolean;
  /** events that wait and that the filter selects */
  matched: number;
  /** the tracking plans by which was judged */
  plans: string;
  /** why events would still break the plan, the commonest first */
  remaining: ReplayRemaining[];
  /** an event with the same messageId was accepted before: nothing would be sent */
  repeats: number;
  samples: ReplaySample[];
  stillBroken: number;
  /** true: this process does not know which ids and unique values came before; some of wouldPass may not pass */
  unsure: boolean;
  wouldPass: number;
}

export interface ReplayRemaining {
  code: string;
  count: number;
  path: string;
}

export interface ReplayRepair {
  /** only events of this name */
  event?: string;
  /** rename_event, rename, coerce, default, set, drop or source */
  op: 'rename_event' | 'rename' | 'coerce' | 'default' | 'set' | 'drop' | 'source';
  /** JSON pointer, * for every item of a list */
  path?: string;
  /** SQL expression over the event, in place of value */
  sql?: string;
  /** new name; for coerce: number, integer, string, boolean, array, trim, lower or upper */
  to?: string;
  /** JSON value for default and set */
  value?: unknown;
}

export interface ReplaySample {
  /** the event as it would be released; null where nothing was asked for */
  after: unknown;
  /** the event as it waits in quarantine */
  before: unknown;
  event: string;
  messageId: string;
  offset: number;
  partition: number;
  receivedAt: string;
  source: string;
  /** valid, warn, fixed or quarantined: the verdict after the repairs */
  status: string;
  violations: ReplayFinding[];
}

export interface Replayed {
  replayed: number;
}

export interface RoleGrant {
  action: string;
  help: string;
  roles: string[];
}

export interface RoleTable {
  me: Me;
  roles: string[];
  table: RoleGrant[];
}

export interface Rows {
  columns: ViewColumn[];
  name?: string;
  rows: unknown[];
  step: number;
  /** how many rows there are; rows may hold fewer */
  total: number;
}

export interface SQLFunction {
  example: string;
  help: string;
  /** scalar, aggregate or window */
  kind: 'scalar' | 'aggregate' | 'window';
  name: string;
  signature: string;
}

export interface SQLFunctions {
  functions: SQLFunction[];
}

export interface SQLOperator {
  columns: ViewColumn[];
  detail: string;
  /** numbers of the operators that it reads */
  inputs: number[];
  kind: string;
  /** what a scan reads */
  relation: string;
  /** stream, table, view or system; empty where it reads operators */
  source: string;
}

export interface SQLOutline {
  columns: ViewColumn[];
  emit: string;
  /** select, view, sink or change */
  kind: 'select' | 'view' | 'sink' | 'change';
  name: string;
  /** inputs before those that read them; the last one gives the result */
  operators: SQLOperator[];
}

export interface SQLPreview {
  columns: ViewColumn[];
  rows: unknown[];
  since: string;
  total: number;
}

export interface SQLText {
  /** how far back a preview looks (60; up to 1440) */
  minutes?: number;
  sql: string;
}

export interface SinkInfo {
  connector: string;
  deadLettered: number;
  delivered: number;
  duplicates: number;
  from: string;
  in: number;
  lastDeliveryAt: string | null;
  lastError: string;
  name: string;
  pending: number;
  /** ok, retrying, paused or failing */
  state: 'ok' | 'retrying' | 'paused' | 'failing';
  suppressed: number;
  target: string;
}

export interface Sinks {
  sinks: SinkInfo[];
}

export interface SourceInfo {
  lastSeen: string | null;
  name: string;
  plan: string;
  ratePerSec: number;
  total: number;
  writeKeys: string[];
}

export interface Sources {
  sources: SourceInfo[];
}

export interface Stage {
  deadLetters: number;
  errors: number;
  /** collect, trust, log, process, serve or activate */
  id: 'collect' | 'trust' | 'log' | 'process' | 'serve' | 'activate';
  in: number;
  lag: number;
  note: string;
  out: number;
  ratePerSec: number;
  /** events per second over the last 60 seconds, oldest first */
  series: number[];
  title: string;
}

export interface TopicDetail {
  bytes: number;
  /** delete, compact or both */
  cleanup: 'delete' | 'compact' | 'both';
  /** plumbing of Myelin or Kafka, which lists leave out at first */
  internal: boolean;
  /** offsets between the first and the last; a few of them may be markers of transactions */
  messages: number;
  name: string;
  partitions: number;
  parts: TopicPartition[];
  /** what is wrong with the topic, empty when all is well */
  problem: string;
  purpose: string;
  /** messages of the last minute by their timestamps, per second */
  ratePerSec: number;
  replicas: number;
  retentionBytes: number;
  retentionMs: number;
  settings: TopicSetting[];
}

export interface TopicGroup {
  assignor: string;
  /** part of Myelin itself */
  internal: boolean;
  lag: number;
  members: TopicMember[];
  name: string;
  parts: TopicGroupPart[];
  problem: string;
  /** classic or consumer (KIP-848) */
  protocol: string;
  /** as Kafka calls it: Stable, Empty, PreparingRebalance, … */
  state: string;
  topics: string[];
}

export interface TopicGroupPart {
  /** offset of the next message to read; -1: none was read yet */
  committed: number;
  end: number;
  lag: number;
  /** who reads it now; empty: nobody */
  member: string;
  partition: number;
  topic: string;
}

export interface TopicGroups {
  groups: TopicGroup[];
}

export interface TopicHeader {
  name: string;
  value: string;
}

export interface TopicInfo {
  bytes: number;
  /** delete, compact or both */
  cleanup: 'delete' | 'compact' | 'both';
  /** plumbing of Myelin or Kafka, which lists leave out at first */
  internal: boolean;
  /** offsets between the first and the last; a few of them may be markers of transactions */
  messages: number;
  name: string;
  partitions: number;
  /** what is wrong with the topic, empty when all is well */
  problem: string;
  purpose: string;
  /** messages of the last minute by their timestamps, per second */
  ratePerSec: number;
  replicas: number;
  retentionBytes: number;
  retentionMs: number;
}

export interface TopicMember {
  client: string;
  host: string;
  id: string;
  partitions: number;
}

export interface TopicMessage {
  cut: boolean;
  headers: TopicHeader[];
  json: unknown;
  key: string;
  /** json, text, binary, empty or deleted */
  kind: 'json' | 'text' | 'binary' | 'empty' | 'deleted';
  offset: number;
  partition: number;
  size: number;
  text: string;
  timestamp: string;
}

export interface TopicMessages {
  /** offset of the next message */
  end: number;
  messages: TopicMessage[];
  next: number;
  /** messages before this offset */
  prev: number;
  start: number;
}

export interface TopicPartition {
  bytes: number;
  /** offset of the next message */
  end: number;
  inSync: number[];
  leader: number;
  partition: number;
  problem: string;
  replicas: number[];
  start: number;
}

export interface TopicSetting {
  default: boolean;
  name: string;
  value: string;
}

export interface Topics {
  topics: TopicInfo[];
}

export interface ViewColumn {
  name: string;
  type: string;
}

export interface ViewInfo {
  columns: ViewColumn[];
  description: string;
  /** changes or window close */
  emit: 'changes' | 'window close';
  errors: number;
  key: string[];
  /** view, table or stream */
  kind: 'view' | 'table' | 'stream';
  lagMs: number;
  late: number;
  name: string;
  /** it stands still until it is resumed */
  paused: boolean;
  rows: number;
  rowsPerSec: number;
  sql: string;
  /** how long it remembers what nothing comes for, such as 30 days; empty: for ever */
  ttl: string;
  updatedAt: string | null;
  watermark: string | null;
}

export interface ViewLedger {
  /** rows whose time is so far ahead of the clock that event time does not follow; among lateRows */
  ahead: number;
  errorRows: ViewRow[];
  /** rows that could not be computed, and records that are no JSON objects, since the view began */
  errors: number;
  /** rows that came after their window had been given up */
  late: number;
  lateRows: ViewRow[];
  /** values that were not of their column's type and are NULL; their rows are among errorRows */
  misfits: ViewMisfit[];
  name: string;
}

export interface ViewMisfit {
  column: string;
  count: number;
}

export interface ViewOperator {
  /** about how long it has computed */
  cpuMs: number;
  depth: number;
  /** that it gave since the process began */
  rows: number;
  stateBytes: number;
  stateKeys: number;
  what: string;
}

export interface ViewPause {
  name: string;
  paused: boolean;
}

export interface ViewPlan {
  name: string;
  /** from the result down; each before its inputs */
  operators: ViewOperator[];
}

export interface ViewRow {
  at: string;
  /** the record that it came from; empty where it came from several */
  event: string;
  offset: number;
  partition: number;
  reason: string;
  /** as JSON */
  row: string;
  topic: string;
}

export interface ViewVerification {
  /** rows that the query does not give */
  extra: number;
  /** the first of them, as JSON */
  extraFirst: string[];
  /** rows that only the query gives */
  missing: number;
  missingFirst: string[];
  name: string;
  /** why the two may differ */
  notes: string[];
  /** that the query read */
  records: number;
  /** of the view */
  rows: number;
  /** the view is what its query gives */
  same: boolean;
  step: number;
  /** the view differs, but rows that came too late may be all that does */
  unsure: boolean;
}

export interface Views {
  views: ViewInfo[];
}

export interface Violation {
  code: string;
  expected: string;
  got: string;
  /** JSON pointer into the event */
  path: string;
  severity: string;
}

export interface WatchCause {
  badRate: number;
  dimension: string;
  shareOfAll: number;
  shareOfBad: number;
  value: string;
}

export interface WatchColumnHealth {
  column: string;
  expected: number;
  /** ok, learning or warning */
  health: 'ok' | 'learning' | 'warning';
  /** none, daily or weekly */
  season: 'none' | 'daily' | 'weekly';
  value: number;
  view: string;
}

export interface WatchCounts {
  properties: number;
  series: number;
}

export interface WatchEventHealth {
  /** what was to be expected in them */
  expected: number[];
  expectedPerHour: number;
  /** ok, learning, warning or critical */
  health: 'ok' | 'learning' | 'warning' | 'critical';
  incidents: string[];
  lastEventAt: string;
  name: string;
  perHour: number;
  properties: WatchPropertyHealth[];
  /** none, daily or weekly */
  season: 'none' | 'daily' | 'weekly';
  /** events in each of the last 24 hours, oldest first */
  series: number[];
  violationRate: number;
}

export interface WatchHealth {
  at: string;
  columns: WatchColumnHealth[];
  limits: WatchCounts;
  /** when the oldest series began */
  since: string | null;
  sources: WatchSourceHealth[];
  tracked: WatchCounts;
  /** events and properties that came beyond the limits and were not watched */
  untracked: WatchCounts;
}

export interface WatchPoint {
  at: string;
  expected: number;
  observed: number;
}

export interface WatchPropertyHealth {
  /** different values in the last full hour; 0 where there were few */
  distinct: number;
  /** ok, learning or warning */
  health: 'ok' | 'learning' | 'warning';
  name: string;
  nullRate: number;
  /** of properties with a fixed set of values */
  topValues: WatchValueShare[];
  types: unknown;
  violationRate: number;
}

export interface WatchRelease {
  firstSeen: string;
  version: string;
}

export interface WatchReleaseSeen {
  firstSeen: string;
  share: number;
  version: string;
}

export interface WatchSourceHealth {
  duplicateShare: number;
  events: WatchEventHealth[];
  expectedPerHour: number;
  /** ok, learning, warning or critical */
  health: 'ok' | 'learning' | 'warning' | 'critical';
  lastEventAt: string;
  lateShare: number;
  name: string;
  ratePerHour: number;
  releases: WatchReleaseSeen[];
}

export interface WatchValueShare {
  share: number;
  value: string;
}
