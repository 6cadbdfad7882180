/** The tokens that one or more requests to a model have used. */
export interface ModelUsageCounts {
  readonly requests: number;
  readonly aborted: number;
  readonly estimated: number;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
}

/** Everything else, such as the model and its user, is that of the first. */
export function usageSum<T extends ModelUsageCounts>(first: T, other: ModelUsageCounts): T {
  return withSums<ModelUsageCounts, T>(first, other, [
    ...(['requests', 'aborted', 'estimated'] as const),
    ...(['prompt_tokens', 'completion_tokens'] as const),
  ]);
}

/** The first, with the sums of both in these fields. */
export function withSums<Counts, T extends Counts>(
  first: T,
  other: Counts,
  fields: readonly FieldOfNumber<Counts>[],
): T {
  const sums = fields.map((field) => [field, Number(first[field]) + Number(other[field])]);
  return { ...first, ...Object.fromEntries(sums) };
}

type FieldOfNumber<T> = { [K in keyof T]: T[K] extends number ? K : never }[keyof T];
