/** The tokens that requests to the models of a project have used. Our addition. */
import * as z from 'zod';
import { Integer, model, Text } from './scalars.ts';

/** The tokens of one user, model and day. */
export const ModelUsageRow = model({
  /** `YYYY-MM-DD`, in UTC. */
  day: Text,
  model: Text,
  user: Text,
  requests: Integer,
  /** Requests whose answer the client did not receive completely. */
  aborted: Integer,
  /** Requests for which the model did not report tokens. */
  estimated: Integer,
  prompt_tokens: Integer,
  completion_tokens: Integer,
});
export type ModelUsageRow = z.infer<typeof ModelUsageRow>;

/** By day, model and user. */
export const ModelUsageReport = model({ usage: z.array(ModelUsageRow) });
export type ModelUsageReport = z.infer<typeof ModelUsageReport>;
