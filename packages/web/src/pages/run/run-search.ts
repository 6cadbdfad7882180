import * as z from 'zod/mini';

/** Job and attempt whose logs and metrics are shown. */
export const RunSearch = z.object({
  job: z.catch(z.optional(z.string().check(z.maxLength(200))), undefined),
  attempt: z.catch(z.optional(z.int().check(z.minimum(1), z.maximum(100_000))), undefined),
});
export type RunSearch = z.infer<typeof RunSearch>;
