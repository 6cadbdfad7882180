/** Orphans: resources in a backend's account that have the server's tag and no record. Our addition. */
import * as z from 'zod';
import { choiceOf, Flag, model, nullable, Text, Uuid } from './scalars.ts';

export const OrphanKind = choiceOf(['instance', 'volume', 'group', 'gateway']);
export type OrphanKind = z.infer<typeof OrphanKind>;

export const Orphan = model({
  id: Uuid,
  kind: OrphanKind,
  /** The project whose backend has it; `created_for` names the project it was created for. */
  project_name: Text,
  backend: Text,
  external_id: Text,
  region: nullable(Text),
  created_for: model({ project: nullable(Text), fleet: nullable(Text), instance: nullable(Text) }),
  first_seen_at: Text,
  last_seen_at: Text,
  /** Seen twice, some minutes apart; before that it may be a delay of the provider. */
  confirmed: Flag,
  /** The server has ordered its end. */
  terminating: Flag,
  /** Why the server does not end it, or could not; null = the server is ending it. */
  reason: nullable(Text),
});
export type Orphan = z.infer<typeof Orphan>;

/** The sweep of one backend. */
export const Sweep = model({
  project_name: Text,
  backend: Text,
  /** The time of the last sweep that succeeded. */
  swept_at: nullable(Text),
  next_at: Text,
  error: nullable(Text),
  /** Why the server does not end the orphans of this backend; null = it ends them. */
  only_reported: nullable(Text),
});
export type Sweep = z.infer<typeof Sweep>;

export const OrphanReport = model({ orphans: z.array(Orphan), sweeps: z.array(Sweep) });
export type OrphanReport = z.infer<typeof OrphanReport>;
