import * as z from 'zod/mini';

/** `from`: a run of the project whose configuration is the beginning. */
export const LaunchSearch = z.object({
  from: z.catch(z.optional(z.string().check(z.minLength(1), z.maxLength(100))), undefined),
});
