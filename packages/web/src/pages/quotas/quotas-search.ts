import {
  choiceParameter,
  type SearchOf,
  searchSchema,
  textParameter,
} from '../../ui/search-schema.ts';

/** The parameters in the address of the quotas. `show`: the page shows the shares in their place. */
export const QuotasSearch = searchSchema({
  q: textParameter(),
  group: textParameter(),
  show: choiceParameter(['shares']),
});
export type QuotasSearch = SearchOf<typeof QuotasSearch>;
