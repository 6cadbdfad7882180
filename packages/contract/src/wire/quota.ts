/** Quotas: what projects and their users may use of what is shared. Our addition. */
import type * as z from 'zod';
import { QuotaGuarantee, QuotaLimit } from '../configuration/quota.ts';
import { Float, Integer, listOf, model, nullable, Text, Uuid } from './scalars.ts';

/**
 * How much of a resource is used by the present jobs, beside what is guaranteed and the limit. `resource`: `gpu`,
 * `gpu:<name>`, `cpu`, `memory` (GB), `instances`, `cost` (dollars per hour) or `runs` (that wait). `user_name`: the user
 * whose use it is, where a quota holds for each user by himself.
 */
export const QuotaUse = model({
  resource: Text,
  user_name: nullable(Text),
  used: Float,
  guaranteed: nullable(Float),
  limit: nullable(Float),
});
export type QuotaUse = z.infer<typeof QuotaUse>;

/**
 * `fleet_name`: null = all fleets; a fleet of another project is named `project/fleet`. `user_name`: null = the
 * project as a whole, `*` = each of its users.
 */
export const Quota = model({
  id: Uuid,
  project_name: Text,
  fleet_name: nullable(Text),
  user_name: nullable(Text),
  guaranteed: nullable(QuotaGuarantee),
  limit: nullable(QuotaLimit),
  weight: nullable(Integer),
  use: listOf(QuotaUse),
});
export type Quota = z.infer<typeof Quota>;
