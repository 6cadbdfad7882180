import {
  numberParameter,
  type SearchOf,
  searchSchema,
  textParameter,
} from '../../ui/search-schema.ts';

/** Job and attempt whose logs and metrics are shown; of logs it may be several jobs (see `mergedJobs`). */
export const RunSearch = searchSchema({
  job: textParameter(0, 4000),
  attempt: numberParameter(1, 100_000),
});
export type RunSearch = SearchOf<typeof RunSearch>;
