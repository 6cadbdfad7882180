/** Fleets. */
import * as z from 'zod';
import { FleetConfiguration, Profile } from '../configuration/index.ts';
import { FLEET_STATUSES } from '../status/fleet-status.ts';
import { Instance } from './instance.ts';
import { choiceOf, DateTime, Flag, model, nullable, Text, Uuid } from './scalars.ts';

export const FleetStatus = choiceOf(FLEET_STATUSES);
export type FleetStatus = z.infer<typeof FleetStatus>;

/** `autocreated` is sent by old clients only. */
export const FleetSpec = model({
  configuration: FleetConfiguration,
  configuration_path: nullable(Text),
  profile: Profile,
  autocreated: Flag.default(false),
});
export type FleetSpec = z.infer<typeof FleetSpec>;

export const Fleet = model({
  id: Uuid,
  name: Text,
  project_name: Text,
  spec: FleetSpec,
  created_at: DateTime,
  status: FleetStatus,
  status_message: nullable(Text),
  instances: z.array(Instance),
});
export type Fleet = z.infer<typeof Fleet>;
