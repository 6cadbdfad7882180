/** The limits of the service token of a request to a model. */
import type { TakeRate } from '../policy/rate-limits.ts';
import { ProxyRefusal } from '../refusals/refusal.ts';
import type { ModelToken } from './model-token.ts';

const MINUTE = 60;

/** Throws `ProxyRefusal`: 403 for another model, 429 beyond a budget or rate. */
export async function checkTokenLimits(
  token: ModelToken | null,
  model: string,
  take: TakeRate,
): Promise<void> {
  if (token === null) return;
  const { id, name, models, usedUp, requestsPerMinute } = token;
  if (models !== null && !models.includes(model)) {
    const text = `The token ${name} is for ${models.join(', ')} only, not for ${model}`;
    throw new ProxyRefusal(403, text, { code: 'model_not_allowed' });
  }
  if (usedUp !== null) {
    const { text, retryAfter } = usedUp;
    throw new ProxyRefusal(429, text, { code: 'insufficient_quota', retryAfter });
  }
  if (requestsPerMinute === null) return;
  const rate = { rps: requestsPerMinute / MINUTE, burst: requestsPerMinute - 1 };
  const wait = await take(`token ${id}`, rate, `token ${id}`);
  if (wait === 0) return;
  const text = `Too many requests: the token ${name} allows ${requestsPerMinute} per minute`;
  throw new ProxyRefusal(429, text, {
    code: 'rate_limit_exceeded',
    retryAfter: Math.max(1, Math.ceil(wait)),
  });
}
