import type { Considered, ExplainState, ExplainVerdict } from '@dstack/contract/wire';

/** The heading of an explanation. */
export function explanationTitle(state: ExplainState): string {
  switch (state) {
    case 'held':
    case 'waiting':
    case 'retrying':
    case 'scheduled':
    case 'scaled_to_zero':
      return 'Why it waits';
    case 'creating':
    case 'starting':
      return 'How it starts';
    case 'not_ready':
      return 'Why it is not ready';
    case 'degraded':
    case 'unreachable':
      return 'What is wrong';
    case 'failed':
    case 'ended':
      return 'Why it ended';
    case 'stopping':
      return 'How it ends';
    case 'running':
    case 'idle':
    case 'busy':
    case 'active':
      return 'State';
  }
}

const WELL: readonly ExplainState[] = ['running', 'idle', 'busy', 'active'];

/** Nothing has to be mended. */
export function isWell(state: ExplainState): boolean {
  return WELL.includes(state);
}

export interface FleetCandidate {
  readonly fleet: string;
  readonly verdict: ExplainVerdict;
  readonly text: string;
  /** Its instances and offers. */
  readonly rows: readonly Considered[];
}

/** The rows of `considered` by fleet; rows without a fleet belong to no candidate and come last. */
export function groupedCandidates(considered: readonly Considered[]): readonly FleetCandidate[] {
  const groups = Map.groupBy(considered, ({ fleet }) => fleet ?? 'Backends');
  return [...groups].map(([fleet, rows]) => {
    const whole = rows.find(({ kind }) => kind === 'fleet');
    return {
      fleet,
      verdict: whole?.verdict ?? 'never',
      text: whole?.text ?? '',
      rows: rows.filter((row) => row !== whole),
    };
  });
}
