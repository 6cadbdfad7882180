import * as z from 'zod/mini';
import { SearchText } from './list-search.ts';

/** The filters in the URL. `all`: also what has ended. */
export const EndedSearch = z.object({
  q: SearchText,
  show: z.catch(z.optional(z.enum(['all'])), undefined),
});
export type EndedSearch = z.infer<typeof EndedSearch>;
