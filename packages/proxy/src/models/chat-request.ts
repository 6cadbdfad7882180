import { validationDetails } from '@dstack/contract/api';
import * as z from 'zod';
import { UnprocessableError } from '../intake/parse-json.ts';

/** The fields used here; all others are passed to the model. */
const ChatRequest = z.looseObject({
  model: z.string(),
  messages: z.array(z.looseObject({})),
  stream: z.boolean().nullish(),
});

export type ChatRequest = z.infer<typeof ChatRequest>;

/** Throws `UnprocessableError`. */
export function chatRequest(body: unknown): ChatRequest {
  const result = ChatRequest.safeParse(body);
  if (result.success) return result.data;
  throw new UnprocessableError(validationDetails(result.error, body));
}
