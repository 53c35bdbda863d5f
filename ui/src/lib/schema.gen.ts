// Made from /api/openapi.json by scripts/schema.mjs. Do not edit.

export interface Applied {
  created: string[];
  /** not declared any more, and kept because prune was not asked for */
  kept: string[];
  problems: Problem[];
  removed: string[];
  updated: string[];
}

export interface Balance {
  accepted: number;
  duplicates: number;
  in: number;
  pending: number;
  quarantined: number;
}

export interface Change {
  /** keys, or whole rows where the view has no key */
  deletes: unknown[];
  step: number;
  upserts: unknown[];
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

export interface Health {
  status: string;
}

export interface Overview {
  at: string;
  balance: Balance;
  endpoints: Endpoints;
  stages: Stage[];
  startedAt: string;
  version: string;
}

export interface PlanEvent {
  description: string;
  name: string;
  owner: string;
  properties: PlanProperty[];
  /** name of its stream in SQL */
  stream: string;
  version: string;
}

export interface PlanInfo {
  events: PlanEvent[];
  file: string;
  name: string;
}

export interface PlanProperty {
  description: string;
  name: string;
  required: boolean;
  type: string;
}

export interface Plans {
  plans: PlanInfo[];
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

export interface Quality {
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

export interface QueryRequest {
  /** most rows to return (1000) */
  limit?: number;
  params?: unknown[];
  sql: string;
}

export interface Replayed {
  replayed: number;
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
  rows: number;
  rowsPerSec: number;
  sql: string;
  updatedAt: string | null;
  watermark: string | null;
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
