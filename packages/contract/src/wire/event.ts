/** Events: the audit log. */
import * as z from 'zod';
import { EVENT_ACTIONS, EVENT_OUTCOMES } from './event-actions.ts';
import {
  choiceOf,
  DateTime,
  Flag,
  JsonObject,
  model,
  nullable,
  openChoiceOf,
  Text,
  Uuid,
} from './scalars.ts';

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

/**
 * Actor null = the server. From `action` on, keys are our additions: null from another server.
 * `action` is one of `EVENT_ACTIONS` or unknown, and shapes `data` (`EventData`).
 */
export const Event = model({
  id: Uuid,
  message: Text,
  recorded_at: DateTime,
  actor_user_id: nullable(Uuid),
  actor_user: nullable(Text),
  is_actor_user_deleted: nullable(Flag),
  targets: z.array(EventTarget),
  action: nullable(openChoiceOf(EVENT_ACTIONS)),
  data: nullable(JsonObject),
  outcome: nullable(openChoiceOf(EVENT_OUTCOMES)),
  /** The token of a program that acted for the user; null also for viewers who may not see it. */
  actor_token: nullable(Text),
  /** IP address of the request; null also for viewers who may not see it. */
  actor_address: nullable(Text),
});
export type Event = z.infer<typeof Event>;
