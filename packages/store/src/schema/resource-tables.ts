import type {
  AttachmentRecord,
  GatewayRecord,
  GatewayReplicaRecord,
  GatewayReport,
  GroupRecord,
  QuotaRecord,
  VolumeObservationRecord,
  VolumeRecord,
  VolumeUseRecord,
} from '@dstack/core';
import type { ExportRecord, ServiceRegistrationRecord } from './resource-records.ts';
import { table } from './table.ts';

export const volumeTable = table<VolumeRecord>()('volumes', {
  id: 'plain',
  projectId: 'plain',
  userId: 'plain',
  name: 'plain',
  backend: 'plain',
  configuration: 'json',
  external: 'bool',
  status: 'plain',
  statusMessage: 'plain',
  handle: 'json',
  provisioningData: 'json',
  fleetId: 'plain',
  hostId: 'plain',
  shared: 'bool',
  statusChangedAt: 'plain',
  createdAt: 'plain',
  lastProcessedAt: 'plain',
  lastJobProcessedAt: 'plain',
  toBeDeleted: 'bool',
  deleted: 'bool',
  deletedAt: 'plain',
  nextPassAt: 'plain',
  version: 'plain',
});

export const attachmentTable = table<AttachmentRecord>()('volume_attachments', {
  id: 'plain',
  volumeId: 'plain',
  instanceId: 'plain',
  status: 'plain',
  statusChangedAt: 'plain',
  error: 'plain',
  attachmentData: 'json',
  version: 'plain',
});

export const volumeUseTable = table<VolumeUseRecord>()('volume_uses', {
  volumeId: 'plain',
  jobId: 'plain',
  mountNum: 'plain',
  releasedAt: 'plain',
});

export const volumeObservationTable = table<VolumeObservationRecord>()('volume_observations', {
  volumeId: 'plain',
  observation: 'json',
  since: 'plain',
  checkedAt: 'plain',
  error: 'plain',
  nextPassAt: 'plain',
});

export const gatewayTable = table<GatewayRecord>()('gateways', {
  id: 'plain',
  projectId: 'plain',
  name: 'plain',
  backend: 'plain',
  region: 'plain',
  configuration: 'json',
  status: 'plain',
  statusMessage: 'plain',
  wildcardDomain: 'plain',
  hostname: 'plain',
  backendData: 'plain',
  scaleOutAttempt: 'plain',
  createdAt: 'plain',
  lastProcessedAt: 'plain',
  toBeDeleted: 'bool',
  deleted: 'bool',
  nextPassAt: 'plain',
  version: 'plain',
});

export const replicaTable = table<GatewayReplicaRecord>()('gateway_replicas', {
  id: 'plain',
  gatewayId: 'plain',
  replicaNum: 'plain',
  status: 'plain',
  statusMessage: 'plain',
  backend: 'plain',
  region: 'plain',
  instanceId: 'plain',
  hostname: 'plain',
  backendData: 'plain',
  sshPublicKey: 'plain',
  scaleIn: 'bool',
  attempt: 'plain',
  appUpdatedAt: 'plain',
  createdAt: 'plain',
  lastProcessedAt: 'plain',
  deleted: 'bool',
  nextPassAt: 'plain',
  version: 'plain',
});

export const gatewayReportTable = table<GatewayReport>()('gateway_reports', {
  replicaId: 'plain',
  state: 'plain',
  text: 'plain',
  hostname: 'plain',
  version: 'plain',
  certificates: 'json',
  outdated: 'plain',
  updatedAt: 'plain',
});

export const registrationTable = table<ServiceRegistrationRecord>()('service_registrations', {
  runId: 'plain',
  jobId: 'plain',
  gatewayReplicaId: 'plain',
  registered: 'bool',
  registerAttempt: 'plain',
  registerMessage: 'plain',
  unregisterAttempt: 'plain',
  unregisterMessage: 'plain',
});

export const groupTable = table<GroupRecord>()('provider_groups', {
  id: 'plain',
  projectId: 'plain',
  fleetId: 'plain',
  kind: 'plain',
  name: 'plain',
  backend: 'plain',
  region: 'plain',
  status: 'plain',
  statusMessage: 'plain',
  handle: 'json',
  offer: 'json',
  memberIds: 'json',
  createdAt: 'plain',
  statusChangedAt: 'plain',
  nextPassAt: 'plain',
  deleted: 'bool',
  version: 'plain',
});

export const exportTable = table<ExportRecord>()('exports', {
  id: 'plain',
  projectId: 'plain',
  name: 'plain',
  isGlobal: 'bool',
  createdAt: 'plain',
});

export const quotaTable = table<QuotaRecord>()('quotas', {
  id: 'plain',
  projectId: 'plain',
  fleetId: 'plain',
  userId: 'plain',
  guaranteed: 'json',
  limits: 'json',
  weight: 'plain',
});
