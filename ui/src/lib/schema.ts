// The shapes of the HTTP API under the names that the pages use, a little narrower where the server promises more than its
// description can say.
import type * as gen from './schema.gen';

export type {
  Backtest,
  Balance,
  Cluster,
  ClusterTask,
  Delivery,
  Endpoints,
  Overview,
  Me,
  PlanDiff,
  PlanEvent,
  PlanInfo,
  PlanProperty,
  Problem,
  QuarantineGroup,
  QuarantineGroups,
  QuarantineJob,
  ReplayFilter,
  ReplayPreview,
  ReplayRepair,
  ReplaySample,
  SQLFunction,
  SQLOperator,
  SQLOutline,
  Stage,
  TopicDetail,
  TopicGroup,
  TopicGroupPart,
  TopicInfo,
  TopicMessage,
  TopicMessages,
  ViewLedger,
  ViewOperator,
  ViewPause,
  ViewVerification,
} from './schema.gen';

export type Audit = gen.AuditLog;
export type Verification = gen.GovernanceVerification;
export type Incident = gen.Incident;
export type IncidentDetail = gen.IncidentDetail;
export type IncidentCounts = gen.IncidentCounts;
export type Lineage = gen.LineageGraph;
export type LineageNode = gen.LineageNode;
export type LineageEdge = gen.LineageEdge;
export type Proposal = gen.GovernanceProposal;
export type Watch = gen.WatchHealth;
export type WatchedEvent = gen.WatchEventHealth;
export type WatchedSource = gen.WatchSourceHealth;

export type StageID = gen.Stage['id'];
export type Status = gen.EventRow['status'];
export type Violation = gen.Violation;
export type EventRow = gen.EventRow;
export type QualityGroup = gen.QualityGroup & { status: Status };
export type Quality = Omit<gen.Quality, 'groups'> & { groups: QualityGroup[] };
export type Column = gen.ViewColumn;
export type View = gen.ViewInfo;
export type Sink = gen.SinkInfo;
export type Outcome = gen.Delivery['status'];
export type Source = gen.SourceInfo;

export type Value = string | number | boolean | null | object;

/** The values of a row, in the order of the columns. */
export type Row = Value[];

export type ViewRows = Omit<gen.Rows, 'rows'> & { rows: Row[] };

export type SQLPreview = Omit<gen.SQLPreview, 'rows'> & { rows: Row[] };

/** What one step changed; deletes are keys, or whole rows where the view has no key. */
export type RowChange = Omit<gen.Change, 'upserts' | 'deletes'> & { upserts: Row[]; deletes: Row[] };
