import { choiceParameter, type SearchOf, searchSchema } from '../../ui/search-schema.ts';
import { SearchText } from '../../ui/table/list-search.ts';

/** What the page of offers shows. */
export const OffersSearch = searchSchema({
  q: SearchText,
  kind: choiceParameter(['cpu']),
  group: choiceParameter(['backend', 'region', 'single']),
  spot: choiceParameter(['spot', 'on-demand']),
});
export type OffersSearch = SearchOf<typeof OffersSearch>;
