/** Requests about fleets, instances, volumes, gateways and backends. */
import * as z from 'zod';
import { GatewayConfiguration, VolumeConfiguration } from '../configuration/index.ts';
import { BackendType } from '../wire/backend.ts';
import { Fleet, FleetSpec } from '../wire/fleet.ts';
import { Gateway, GatewaySpec } from '../wire/gateway.ts';
import { Flag, Instant, integer, model, nullable, seen, Text, Uuid } from '../wire/scalars.ts';
import { Count, MAX_PAGE, StoredInteger } from './requests-work.ts';

const page = {
  prev_created_at: nullable(Instant),
  prev_id: nullable(Uuid),
  limit: integer({ ge: 0, le: MAX_PAGE }).default(MAX_PAGE),
  ascending: Flag.default(false),
};

/** Without `only_active` deleted fleets are listed too. */
export const ListFleetsRequest = model({
  project_name: nullable(Text),
  only_active: Flag.default(false),
  include_imported: Flag.default(false),
  ...page,
});
export type ListFleetsRequest = z.infer<typeof ListFleetsRequest>;

export const ListProjectFleetsRequest = model({ include_imported: Flag.default(false) });
export type ListProjectFleetsRequest = z.infer<typeof ListProjectFleetsRequest>;

/** One of the two; `id` wins and finds deleted fleets too. */
export const GetFleetRequest = model({ name: nullable(Text), id: nullable(Uuid) });
export type GetFleetRequest = z.infer<typeof GetFleetRequest>;

export const GetFleetPlanRequest = model({ spec: FleetSpec });
export type GetFleetPlanRequest = z.infer<typeof GetFleetPlanRequest>;

export const ApplyFleetPlanRequest = model({
  plan: model({ spec: FleetSpec, current_resource: seen(Fleet) }),
  force: Flag,
});
export type ApplyFleetPlanRequest = z.infer<typeof ApplyFleetPlanRequest>;

export const DeleteFleetsRequest = model({ names: z.array(Text) });
export type DeleteFleetsRequest = z.infer<typeof DeleteFleetsRequest>;

export const DeleteFleetInstancesRequest = model({
  name: Text,
  instance_nums: z.array(StoredInteger),
});
export type DeleteFleetInstancesRequest = z.infer<typeof DeleteFleetInstancesRequest>;

export const ListInstancesRequest = model({
  project_names: nullable(z.array(Text)),
  fleet_ids: nullable(z.array(Uuid)),
  only_active: Flag.default(false),
  include_imported: Flag.default(false),
  prev_created_at: nullable(Instant),
  prev_id: nullable(Uuid),
  limit: Count.default(1000),
  ascending: Flag.default(false),
});
export type ListInstancesRequest = z.infer<typeof ListInstancesRequest>;

export const GetInstanceRequest = model({ id: Uuid });
export type GetInstanceRequest = z.infer<typeof GetInstanceRequest>;

/** Both bounds exclusive, newest first. */
export const GetInstanceHealthChecksRequest = model({
  fleet_name: Text,
  instance_num: StoredInteger,
  after: nullable(Instant),
  before: nullable(Instant),
  limit: nullable(Count),
});
export type GetInstanceHealthChecksRequest = z.infer<typeof GetInstanceHealthChecksRequest>;

export const ListVolumesRequest = model({
  project_name: nullable(Text),
  only_active: Flag.default(false),
  ...page,
});
export type ListVolumesRequest = z.infer<typeof ListVolumesRequest>;

export const GetVolumeRequest = model({ name: Text });
export type GetVolumeRequest = z.infer<typeof GetVolumeRequest>;

export const CreateVolumeRequest = model({ configuration: VolumeConfiguration });
export type CreateVolumeRequest = z.infer<typeof CreateVolumeRequest>;

export const DeleteVolumesRequest = model({ names: z.array(Text) });
export type DeleteVolumesRequest = z.infer<typeof DeleteVolumesRequest>;

export const ListGatewaysRequest = model({ include_imported: Flag.default(false) });
export type ListGatewaysRequest = z.infer<typeof ListGatewaysRequest>;

export const GetGatewayRequest = model({ name: Text });
export type GetGatewayRequest = z.infer<typeof GetGatewayRequest>;

export const GetGatewayPlanRequest = model({ spec: GatewaySpec });
export type GetGatewayPlanRequest = z.infer<typeof GetGatewayPlanRequest>;

export const ApplyGatewayPlanRequest = model({
  plan: model({ spec: GatewaySpec, current_resource: seen(Gateway) }),
  force: Flag,
});
export type ApplyGatewayPlanRequest = z.infer<typeof ApplyGatewayPlanRequest>;

export const CreateGatewayRequest = model({ configuration: GatewayConfiguration });
export type CreateGatewayRequest = z.infer<typeof CreateGatewayRequest>;

/** `force`, which is ours: also gateways with services. */
export const DeleteGatewaysRequest = model({ names: z.array(Text), force: Flag.default(false) });
export type DeleteGatewaysRequest = z.infer<typeof DeleteGatewaysRequest>;

/** `gateway_project`: owner of an imported gateway. */
export const SetDefaultGatewayRequest = model({ name: Text, gateway_project: nullable(Text) });
export type SetDefaultGatewayRequest = z.infer<typeof SetDefaultGatewayRequest>;

export const SetWildcardDomainRequest = model({ name: Text, wildcard_domain: Text });
export type SetWildcardDomainRequest = z.infer<typeof SetWildcardDomainRequest>;

export const DeleteBackendsRequest = model({ backends_names: z.array(BackendType) });
export type DeleteBackendsRequest = z.infer<typeof DeleteBackendsRequest>;

export const CreateBackendYAMLRequest = model({ config_yaml: Text });
export type CreateBackendYAMLRequest = z.infer<typeof CreateBackendYAMLRequest>;

export const UpdateBackendYAMLRequest = model({ config_yaml: Text });
export type UpdateBackendYAMLRequest = z.infer<typeof UpdateBackendYAMLRequest>;
