/** Directories that an agent keeps for the server. */
import { flag, type Infer, line, nullable, object, textLike, uuid, whole } from './schema-kit.ts';

/** Absolute, without `..`. */
const VolumePath = textLike(/^(?=.{1,4096}$)(?!.*\/\.\.(\/|$))\/\P{Cc}*$/u, 'is no absolute path');

/** Directory of a file system that several hosts share; null = the agent's own state. */
const path = nullable(VolumePath);

/** `id`: of the volume; it names the directory. */
export const VolumeDirectory = object({ id: uuid, path });
export type VolumeDirectory = Infer<typeof VolumeDirectory>;

/** Body of `PUT`; a directory that exists is left as it is. The names are for people who look at it. */
export const PutVolume = object({ path, name: line(256), project: line(256) });
export type PutVolume = Infer<typeof PutVolume>;

/** Body of the other commands on a volume. */
export const VolumePlace = object({ path });
export type VolumePlace = Infer<typeof VolumePlace>;

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
