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

/**
 * `planned`: the next window. `leaving`: jobs have notice to leave before it begins. `on`: nothing is placed
 * until `ends_at`.
 */
export const MAINTENANCE_STATES = ['planned', 'leaving', 'on'] as const;

/** The window that is on, or the next one. `leaving_at`: from when jobs have notice. */
export const MaintenanceWindow = model({
  state: choiceOf(MAINTENANCE_STATES),
  leaving_at: DateTime,
  starts_at: DateTime,
  ends_at: DateTime,
});
export type MaintenanceWindow = z.infer<typeof MaintenanceWindow>;

/** `maintenance`: absent if the fleet has no windows. An addition of ours. */
export const Fleet = model({
  id: Uuid,
  name: Text,
  project_name: Text,
  spec: FleetSpec,
  created_at: DateTime,
  status: FleetStatus,
  status_message: nullable(Text),
  maintenance: MaintenanceWindow.optional(),
  instances: z.array(Instance),
});
export type Fleet = z.infer<typeof Fleet>;
