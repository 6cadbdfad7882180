import { type HostCheck, MAX_CHECK_MESSAGE } from '@dstack/contract/agent';

export type CheckStatus = HostCheck['status'];

export type CheckFinding = Pick<HostCheck, 'status' | 'message'>;

export const HEALTHY: CheckFinding = { status: 'healthy', message: null };

/** One check of the host. */
export interface Check {
  readonly name: string;
  /** Milliseconds between two runs, as long as they are cheap and complete. */
  readonly periodMs: number;
  /** Its runs wait and use no CPU, so a long run does not make it rarer. */
  readonly isCheap?: boolean;
  /** Null: it does not apply to this host. Rejects if it could not be carried out. */
  readonly run: () => Promise<CheckFinding | null>;
}

const RANK: Readonly<Record<CheckStatus, number>> = { healthy: 0, warning: 1, failure: 2 };

/** One finding of many: the worst status, and the messages with the worst first. */
export function combine(findings: readonly CheckFinding[]): CheckFinding {
  const troubles = findings
    .filter((one) => one.status !== 'healthy')
    .sort((a, b) => RANK[b.status] - RANK[a.status]);
  const [worst] = troubles;
  if (worst === undefined) return HEALTHY;
  const text = [...new Set(troubles.flatMap(({ message }) => message ?? []))].join('; ');
  return { status: worst.status, message: shortened(text) };
}

export function isAtLeast(status: CheckStatus, least: CheckStatus): boolean {
  return RANK[status] >= RANK[least];
}

/** One line, not longer than a report may have. */
export function shortened(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= MAX_CHECK_MESSAGE ? line : `${line.slice(0, MAX_CHECK_MESSAGE - 1)}…`;
}
