import {
  choiceParameter,
  type SearchOf,
  searchSchema,
  textParameter,
} from '../../ui/search-schema.ts';

/** The parameters in the address of the page of offers. */
export const OffersSearch = searchSchema({
  q: textParameter(),
  kind: choiceParameter(['cpu']),
  group: choiceParameter(['backend', 'region', 'single']),
  spot: choiceParameter(['spot', 'on-demand']),
});
export type OffersSearch = SearchOf<typeof OffersSearch>;
