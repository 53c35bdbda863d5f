// The shapes of the HTTP API, as /api/openapi.json describes them.

export type StageID = 'collect' | 'trust' | 'log' | 'process' | 'serve' | 'activate';

export interface Stage {
  id: StageID;
  title: string;
  in: number;
  out: number;
  ratePerSec: number;
  /** Records that wait for this stage. */
  lag: number;
  deadLetters: number;
  errors: number;
  note: string;
  /** Events per second over the last 60 seconds, oldest first. */
  series: number[];
}

export interface Balance {
  in: number;
  accepted: number;
  quarantined: number;
  duplicates: number;
  pending: number;
}

export interface Overview {
  at: string;
  stages: Stage[];
  balance: Balance;
  startedAt: string;
  version: string;
  /** Where other tools connect, when the server tells. */
  endpoints?: { http?: string; kafka?: string; postgres?: string };
}

export type Status = 'valid' | 'warn' | 'fixed' | 'quarantined';

export type Severity = 'info' | 'warn' | 'error';

export interface Violation {
  code: string;
  path: string;
  expected: string;
  got: string;
  severity: Severity;
}

export interface EventRow {
  messageId: string;
  type: string;
  event: string;
  userKey: string;
  source: string;
  status: Status;
  timestamp: string;
  receivedAt: string;
  violations: Violation[];
  partition: number;
  offset: number;
  json: unknown;
}

export interface QualityGroup {
  id: string;
  event: string;
  code: string;
  path: string;
  severity: Severity;
  source: string;
  count: number;
  firstSeen: string;
  lastSeen: string;
  expected: string;
  got: string;
  status: Status;
  sample: unknown;
  /** Events per minute over the last hour, oldest first. */
  perMinute: number[];
  explanation: string;
  nextStep: string;
}

export interface Quality {
  totals: { checked: number; valid: number; warn: number; fixed: number; quarantined: number };
  groups: QualityGroup[];
}

export interface Column {
  name: string;
  type: string;
}

export interface View {
  name: string;
  kind: 'view' | 'table';
  sql: string;
  columns: Column[];
  key: string[];
  rows: number;
  emit: string;
  rowsPerSec: number;
  lagMs: number;
  watermark: string | null;
  errors: number;
  late: number;
  updatedAt: string | null;
  description: string;
}

export type Value = string | number | boolean | null | object;

export type Row = Value[];

export interface ViewRows {
  name: string;
  columns: Column[];
  rows: Row[];
  step: number;
  total: number;
}

export interface RowChange {
  step: number;
  upserts: Row[];
  deletes: Row[];
}

export interface Sink {
  name: string;
  from: string;
  connector: string;
  target: string;
  state: 'ok' | 'retrying' | 'paused' | 'failing';
  in: number;
  delivered: number;
  duplicates: number;
  suppressed: number;
  deadLettered: number;
  pending: number;
  lastError: string;
  lastDeliveryAt: string | null;
}

export type Outcome = 'delivered' | 'dead_lettered' | 'suppressed' | 'duplicate';

export interface Delivery {
  at: string;
  key: string;
  status: Outcome;
  attempts: number;
  httpStatus: number;
  error: string;
  payload: unknown;
}

export interface Source {
  name: string;
  plan: string;
  writeKeys: string[];
  ratePerSec: number;
  total: number;
  lastSeen: string | null;
}

export interface Problem {
  file: string;
  line: number;
  column: number;
  message: string;
  hint: string;
}
