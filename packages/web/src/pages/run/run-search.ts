import {
  numberParameter,
  type SearchOf,
  searchSchema,
  textParameter,
} from '../../ui/search-schema.ts';

/** Job and attempt whose logs and metrics are shown. */
export const RunSearch = searchSchema({
  job: textParameter(),
  attempt: numberParameter(1, 100_000),
});
export type RunSearch = SearchOf<typeof RunSearch>;
