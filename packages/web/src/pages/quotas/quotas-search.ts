import {
  choiceParameter,
  type SearchOf,
  searchSchema,
  textParameter,
} from '../../ui/search-schema.ts';

/** What the address of the quotas has. `show`: the shares in their place. */
export const QuotasSearch = searchSchema({
  q: textParameter(),
  group: textParameter(),
  show: choiceParameter(['shares']),
});
export type QuotasSearch = SearchOf<typeof QuotasSearch>;
