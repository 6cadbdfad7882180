/** What one or more requests to a model have used. */
export interface ModelUsageCounts {
  readonly requests: number;
  readonly aborted: number;
  readonly estimated: number;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
}

/** Everything else, such as the model and its user, is that of the first. */
export function usageSum<T extends ModelUsageCounts>(first: T, other: ModelUsageCounts): T {
  return {
    ...first,
    requests: first.requests + other.requests,
    aborted: first.aborted + other.aborted,
    estimated: first.estimated + other.estimated,
    prompt_tokens: first.prompt_tokens + other.prompt_tokens,
    completion_tokens: first.completion_tokens + other.completion_tokens,
  };
}
