/** Volumes that an agent keeps, or mounts from block devices of its machine. */
import { flag, type Infer, line, nullable, object, textLike, uuid, whole } from './schema-kit.ts';

/** Absolute, without `..`. */
const VolumePath = textLike(/^(?=.{1,4096}$)(?!.*\/\.\.(\/|$))\/\P{Cc}*$/u, 'is no absolute path');

/** Directory of a file system that several hosts share; null = the agent's own state. */
const path = nullable(VolumePath);

/** `id`: of the volume; it names the directory. */
export const VolumeDirectory = object({ id: uuid, path });
export type VolumeDirectory = Infer<typeof VolumeDirectory>;

/** The path of a device of the machine, under `/dev`. */
const DevicePath = textLike(
  /^\/dev\/(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:+/-]{0,255}$/,
  'is not a device',
);

/** A volume that the provider has attached to the machine. */
export const VolumeDevice = object({
  path: DevicePath,
  /** A device without any data gets a file system; false: it must have one. */
  format: flag,
});
export type VolumeDevice = Infer<typeof VolumeDevice>;

/** The source of a mount: a directory that the agent keeps, or the file system of a device. */
export const VolumeSource = object({ ...VolumeDirectory.shape, device: nullable(VolumeDevice) });
export type VolumeSource = Infer<typeof VolumeSource>;

/** Body of `PUT`; a directory that exists is left as it is. The names are for people who look at it. */
export const PutVolume = object({ path, name: line(256), project: line(256) });
export type PutVolume = Infer<typeof PutVolume>;

/** Body of the other commands on a volume. */
export const VolumePlace = object({ path });
export type VolumePlace = Infer<typeof VolumePlace>;

/** Body of `unmount`: the device that the provider is about to detach. */
export const UnmountVolume = object({ device: DevicePath });
export type UnmountVolume = Infer<typeof UnmountVolume>;

export const VolumeState = object({
  /** Bytes on the disk; null = not measured yet. Measured at most every ten minutes. */
  used_bytes: nullable(whole()),
});
export type VolumeState = Infer<typeof VolumeState>;

export const VolumeRemoval = object({
  /** False: the deletion has begun; the command has to be repeated. */
  deleted: flag,
});
export type VolumeRemoval = Infer<typeof VolumeRemoval>;
