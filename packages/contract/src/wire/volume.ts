/** Volumes. */
import * as z from 'zod';
import { VolumeConfiguration } from '../configuration/index.ts';
import { VOLUME_STATUSES } from '../status/volume-status.ts';
import { BackendType } from './backend.ts';
import {
  choiceOf,
  DateTime,
  Flag,
  Float,
  Integer,
  model,
  nullable,
  Text,
  Uuid,
} from './scalars.ts';

export const VolumeStatus = choiceOf(VOLUME_STATUSES);
export type VolumeStatus = z.infer<typeof VolumeStatus>;

export const VolumeProvisioningData = model({
  backend: nullable(BackendType),
  volume_id: Text,
  size_gb: nullable(Integer),
  availability_zone: nullable(Text),
  price: nullable(Float),
  attachable: Flag.default(true),
  detachable: Flag.default(true),
  backend_data: nullable(Text),
});
export type VolumeProvisioningData = z.infer<typeof VolumeProvisioningData>;

export const VolumeAttachmentData = model({ device_name: nullable(Text) });
export type VolumeAttachmentData = z.infer<typeof VolumeAttachmentData>;

export const VolumeInstance = model({
  name: Text,
  fleet_name: nullable(Text),
  instance_num: Integer,
  instance_id: nullable(Text),
});
export type VolumeInstance = z.infer<typeof VolumeInstance>;

export const VolumeAttachment = model({
  instance: VolumeInstance,
  attachment_data: nullable(VolumeAttachmentData),
});
export type VolumeAttachment = z.infer<typeof VolumeAttachment>;

/** `volume_id` is the cloud's id; `external` volumes were registered by it. `cost` in USD. */
export const Volume = model({
  id: Uuid,
  name: Text,
  user: Text,
  project_name: Text,
  configuration: VolumeConfiguration,
  external: Flag,
  created_at: DateTime,
  last_processed_at: DateTime,
  status: VolumeStatus,
  status_message: nullable(Text),
  deleted: Flag,
  deleted_at: nullable(DateTime),
  volume_id: nullable(Text),
  provisioning_data: nullable(VolumeProvisioningData),
  cost: Float.default(0),
  attachments: nullable(z.array(VolumeAttachment)),
  attachment_data: nullable(VolumeAttachmentData),
});
export type Volume = z.infer<typeof Volume>;
