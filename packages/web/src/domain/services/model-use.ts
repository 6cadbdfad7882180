import type { ModelUsageRow } from '@dstack/contract/wire';

/** The requests and tokens of one user for one model. */
export interface UseOfModel {
  readonly model: string;
  readonly user: string;
  readonly requests: number;
  readonly aborted: number;
  readonly estimated: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** The days together, those with the most tokens first. */
export function modelUses(usage: readonly ModelUsageRow[]): readonly UseOfModel[] {
  const uses = Map.groupBy(usage, ({ model, user }) => JSON.stringify([model, user]));
  const sum = (rows: readonly ModelUsageRow[], of: (row: ModelUsageRow) => number): number =>
    rows.reduce((total, row) => total + of(row), 0);
  return [...uses.values()]
    .map((rows) => ({
      model: rows[0]?.model ?? '',
      user: rows[0]?.user ?? '',
      requests: sum(rows, (row) => row.requests),
      aborted: sum(rows, (row) => row.aborted),
      estimated: sum(rows, (row) => row.estimated),
      promptTokens: sum(rows, (row) => row.prompt_tokens),
      completionTokens: sum(rows, (row) => row.completion_tokens),
    }))
    .sort((a, b) => tokensOf(b) - tokensOf(a) || b.requests - a.requests);
}

const tokensOf = (use: UseOfModel): number => use.promptTokens + use.completionTokens;
