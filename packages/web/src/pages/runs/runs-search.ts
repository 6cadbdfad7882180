import * as z from 'zod/mini';
import { STATUS_FILTERS, type StatusFilter } from '../../domain/runs/run-actions.ts';

const Text = z.catch(z.optional(z.string().check(z.maxLength(200))), undefined);
const LAUNCH_TYPES = ['task', 'service', 'dev-environment'] as const;

/** The filters in the URL. A value that is not understood counts as missing. */
export const RunsSearch = z.object({
  q: Text,
  user: Text,
  status: z.catch(
    z.optional(z.enum(Object.keys(STATUS_FILTERS) as [StatusFilter, ...StatusFilter[]])),
    undefined,
  ),
  type: z.catch(z.optional(z.enum(LAUNCH_TYPES)), undefined),
});
export type RunsSearch = z.infer<typeof RunsSearch>;
