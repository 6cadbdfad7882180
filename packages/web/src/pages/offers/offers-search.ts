import * as z from 'zod/mini';
import { SearchText } from '../../ui/table/list-search.ts';

/** What the page of offers shows. */
export const OffersSearch = z.object({
  q: SearchText,
  kind: z.catch(z.optional(z.literal('cpu')), undefined),
  group: z.catch(z.optional(z.enum(['backend', 'region', 'single'])), undefined),
  spot: z.catch(z.optional(z.enum(['spot', 'on-demand'])), undefined),
});
export type OffersSearch = z.infer<typeof OffersSearch>;
