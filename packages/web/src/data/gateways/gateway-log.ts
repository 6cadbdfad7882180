import type { GatewayLogEntry, GatewayLogs } from '@dstack/contract/wire';

/** A line of a replica; `isGap`: it stands for lines that are missing. */
export interface ReplicaLine extends GatewayLogEntry {
  readonly id: number;
  readonly replica: number;
  readonly isGap: boolean;
}

/** The log of a gateway, joined from the answers to several requests. */
export interface GatewayLog {
  /** In the order of their arrival. */
  readonly lines: readonly ReplicaLine[];
  /** The position in the log of each replica from which the next request continues. */
  readonly positions: Readonly<Record<string, string>>;
  /** Replicas that have answered last time, and those that have not. */
  readonly answered: readonly number[];
  readonly unanswered: readonly number[];
  readonly nextId: number;
  /** Answers without a new line since the last one that had some. */
  readonly idle: number;
}

export const NO_LOG: GatewayLog = {
  ...{ lines: [], positions: {}, answered: [], unanswered: [], nextId: 0, idle: 0 },
};

/** Lines that are kept; the oldest ones go. */
export const MOST_LINES = 500;

const POLL_MS = 2000;
const SLOWEST_MS = 30_000;

/** The log with what an answer adds. */
export function withAnswer(log: GatewayLog, { replicas }: GatewayLogs): GatewayLog {
  const positions: Record<string, string> = {};
  let { nextId } = log;
  const added: ReplicaLine[] = [];
  for (const { replica_num: replica, next, skipped, lines } of replicas) {
    if (next !== null) positions[replica] = next;
    const base = { replica, id: 0 };
    if (skipped) added.push({ ...base, ...GAP, time: lines[0]?.time ?? null, isGap: true });
    for (const line of lines) added.push({ ...base, ...line, isGap: false });
  }
  // Stable: those of a replica without a time stay in their order.
  added.sort((a, b) => timeOf(a) - timeOf(b));
  const numbered = added.map((line) => ({ ...line, id: nextId++ }));
  const numbers = (isAnswer: boolean) =>
    replicas.filter(({ answered }) => answered === isAnswer).map((one) => one.replica_num);
  return {
    lines: added.length === 0 ? log.lines : [...log.lines, ...numbered].slice(-MOST_LINES),
    ...{ positions, nextId, answered: numbers(true), unanswered: numbers(false) },
    idle: added.length === 0 ? log.idle + 1 : 0,
  };
}

const GAP = { source: 'gateway', level: '', text: '' } as const;

const timeOf = ({ time }: GatewayLogEntry): number => (time === null ? 0 : Date.parse(time));

/** Until the next question: the longer nothing comes, the later; after an error the latest. */
export function pollDelay(log: GatewayLog | undefined, hasFailed: boolean): number {
  return hasFailed ? SLOWEST_MS : Math.min(POLL_MS * 2 ** (log?.idle ?? 0), SLOWEST_MS);
}
