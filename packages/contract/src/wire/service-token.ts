/** Tokens of programs, for one project each: ours, dstack 0.22.5 does not know them. */
import type * as z from 'zod';
import { model, nullable, Text, Uuid, words } from './scalars.ts';

/** The prefix distinguishes service tokens from users' tokens, in logs and for secret scanners. */
export const SERVICE_TOKEN_PREFIX = 'dstack_st_';

/** Tokens of jobs (`dstack: true`): service tokens that the server issues itself. */
export const JOB_TOKEN_PREFIX = `${SERVICE_TOKEN_PREFIX}job_`;

/** Only to look, or what a member with that role may do. */
export const ServiceTokenScope = words(['read', 'user', 'manager', 'admin']);
export type ServiceTokenScope = z.infer<typeof ServiceTokenScope>;

export const ServiceToken = model({
  id: Uuid,
  name: Text,
  scope: ServiceTokenScope,
  created_by: Text,
  created_at: Text,
  expires_at: nullable(Text),
  last_used_at: nullable(Text),
});
export type ServiceToken = z.infer<typeof ServiceToken>;

/** The only answer that has the token itself. */
export const CreatedServiceToken = model({ ...ServiceToken.shape, token: Text });
export type CreatedServiceToken = z.infer<typeof CreatedServiceToken>;
