/** Events: the audit log. */
import * as z from 'zod';
import { choiceOf, DateTime, Flag, model, nullable, Text, Uuid } from './scalars.ts';

/** `preset` occurs only in the vendor's hosted edition. */
export const EVENT_TARGET_TYPES = [
  'project',
  'user',
  'fleet',
  'instance',
  'run',
  'job',
  'volume',
  'gateway',
  'gateway-replica',
  'secret',
  'preset',
] as const;
export const EventTargetType = choiceOf(EVENT_TARGET_TYPES);
export type EventTargetType = z.infer<typeof EventTargetType>;

/** Names are those at the time of the event. `type` is a plain string for clients. */
export const EventTarget = model({
  type: Text,
  project_id: nullable(Uuid),
  project_name: nullable(Text),
  is_project_deleted: nullable(Flag),
  id: Uuid,
  name: Text,
});
export type EventTarget = z.infer<typeof EventTarget>;

/** Actor null = the system. */
export const Event = model({
  id: Uuid,
  message: Text,
  recorded_at: DateTime,
  actor_user_id: nullable(Uuid),
  actor_user: nullable(Text),
  is_actor_user_deleted: nullable(Flag),
  targets: z.array(EventTarget),
});
export type Event = z.infer<typeof Event>;
