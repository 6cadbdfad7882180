/** Tokens of programs, for one project each. Our addition: dstack 0.22.5 does not have them. */
import type * as z from 'zod';
import { choiceOf, Integer, listOf, model, nullable, Text, Uuid } from './scalars.ts';

/** Only requests to models, or to some services; `read`; or the permissions of a member with that role. */
export const ServiceTokenScope = choiceOf([
  'models',
  'services',
  'read',
  'user',
  'manager',
  'admin',
]);
export type ServiceTokenScope = z.infer<typeof ServiceTokenScope>;

/** Limits of requests to models; null = no limit. Days and months are those of UTC. */
export const TokenLimits = model({
  requests_per_minute: nullable(Integer),
  tokens_per_day: nullable(Integer),
  tokens_per_month: nullable(Integer),
});
export type TokenLimits = z.infer<typeof TokenLimits>;

/** Tokens of models (of prompts and answers) on the present day and in the present month. */
export const TokenUse = model({ day: Integer, month: Integer });
export type TokenUse = z.infer<typeof TokenUse>;

/**
 * `models`: the names that the token may use; null = all of the project. `services`: the names of the runs
 * that a token with the scope `services` may send requests to.
 */
export const ServiceToken = model({
  id: Uuid,
  name: Text,
  scope: ServiceTokenScope,
  created_by: Text,
  created_at: Text,
  expires_at: nullable(Text),
  last_used_at: nullable(Text),
  models: nullable(listOf(Text)),
  services: nullable(listOf(Text)),
  limits: nullable(TokenLimits),
  used: TokenUse,
});
export type ServiceToken = z.infer<typeof ServiceToken>;

/** The only answer that contains the token itself. */
export const CreatedServiceToken = model({ ...ServiceToken.shape, token: Text });
export type CreatedServiceToken = z.infer<typeof CreatedServiceToken>;
