import type * as z from 'zod';
import { parseMount } from '../grammar/mount.ts';
import { normalizeMountPath } from '../grammar/paths.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { bool, readString } from './scalars.ts';
import { closed, isMap, named, oneOf, type Reader, reader } from './schema-kit.ts';

const MountPath: Reader<string> = reader(
  (value) => {
    const text = readString(value);
    return text instanceof Problem ? text : normalizeMountPath(text);
  },
  { type: 'string' },
);

const VolumeName: Reader<string | string[]> = reader<string | string[]>(
  (value) => {
    if (!Array.isArray(value)) return readString(value);
    const texts = value.map(readString);
    const wrong = texts.find((text) => text instanceof Problem);
    return wrong instanceof Problem ? wrong : (texts as string[]);
  },
  { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
);

/** A network volume; of several names the first usable one is mounted. */
export const VolumeMountPoint = named(
  'VolumeMountPoint',
  closed({ name: VolumeName, path: MountPath }),
);
export type VolumeMountPoint = z.infer<typeof VolumeMountPoint>;

/** A directory of the instance. */
export const InstanceMountPoint = named(
  'InstanceMountPoint',
  closed({ instance_path: MountPath, path: MountPath, optional: bool().default(false) }),
);
export type InstanceMountPoint = z.infer<typeof InstanceMountPoint>;

const MountText: Reader<VolumeMountPoint | InstanceMountPoint> = reader<
  VolumeMountPoint | InstanceMountPoint
>(
  (value) => {
    const mount = parseMount(String(value));
    if (mount instanceof Problem) return mount;
    const path = normalizeMountPath(mount.path);
    if (path instanceof Problem) return path;
    if ('name' in mount) return { name: mount.name, path };
    const source = normalizeMountPath(mount.instance_path);
    return source instanceof Problem ? source : { instance_path: source, path, optional: false };
  },
  { type: 'string' },
);

/** `volume:/path`, `/instance/path:/path`, or one of the two models. */
export const MountPoint: Reader<VolumeMountPoint | InstanceMountPoint> = oneOf<
  VolumeMountPoint | InstanceMountPoint
>(
  (value) => {
    if (typeof value === 'string') return MountText;
    if (isMap(value)) return 'instance_path' in value ? InstanceMountPoint : VolumeMountPoint;
    return new Problem(`must be 'volume:/path' or '/instance/path:/path', got ${quote(value)}`);
  },
  (ref) => ({ anyOf: [ref(VolumeMountPoint), ref(InstanceMountPoint), { type: 'string' }] }),
  (ref) => ({ anyOf: [ref(VolumeMountPoint), ref(InstanceMountPoint)] }),
);
export type MountPoint = z.infer<typeof MountPoint>;
