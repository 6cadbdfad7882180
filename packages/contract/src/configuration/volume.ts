import * as z from 'zod';
import { isResourceName } from '../grammar/names.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { hostVolumeRegion, SERVER_HOST_PLACE } from '../grammar/volume-place.ts';
import { IdleDuration } from './durations.ts';
import { describeJson } from './json-form.ts';
import { Tags } from './profile.ts';
import { Memory } from './resources.ts';
import { bool, optional, ours, string, stringBy } from './scalars.ts';
import { choice, closed, named, type Reader, tagged } from './schema-kit.ts';

const ofVolume = { type: choice(['volume'], 'literal_error').default('volume') };

/** Keys of every volume; `auto_cleanup_duration` -1 = never, null = not set. */
const commonShape = {
  name: optional(string()),
  auto_cleanup_duration: IdleDuration.default(null),
  tags: optional(Tags),
};

/** `volume_id` registers an existing volume. */
const externalShape = { volume_id: optional(string()) };
const sizeShape = { size: optional(Memory) };
const zoneShape = { region: string(), availability_zone: optional(string()) };

/** `availability_zone`: name of the instance of an SSH fleet whose disk holds the volume. */
const hostShape = { availability_zone: ours(string()) };

function backend<const T extends string>(type: T) {
  return { backend: choice([type], 'literal_error').default(type as never) };
}

export const AWSVolumeConfiguration = named(
  'AWSVolumeConfiguration',
  closed({
    ...ofVolume,
    ...backend('aws'),
    ...commonShape,
    ...sizeShape,
    ...externalShape,
    ...zoneShape,
  }),
);
export type AWSVolumeConfiguration = z.infer<typeof AWSVolumeConfiguration>;

export const GCPVolumeConfiguration = named(
  'GCPVolumeConfiguration',
  closed({
    ...ofVolume,
    ...backend('gcp'),
    ...commonShape,
    ...sizeShape,
    ...externalShape,
    ...zoneShape,
  }),
);
export type GCPVolumeConfiguration = z.infer<typeof GCPVolumeConfiguration>;

const runpodShape = {
  ...ofVolume,
  ...backend('runpod'),
  ...commonShape,
  ...sizeShape,
  ...externalShape,
  region: zoneShape.region,
};
const RunpodModel = named(
  'RunpodVolumeConfiguration',
  closed({ ...runpodShape, availability_zone: zoneShape.availability_zone }),
);
const RunpodEmitted = named('RunpodVolumeConfiguration', closed(runpodShape));

/** RunPod has no zones; the key is accepted and dropped. */
export const RunpodVolumeConfiguration = describeJson(
  RunpodModel.transform(({ availability_zone: _, ...volume }) => volume),
  (ref) => ref(RunpodModel),
  (ref) => ref(RunpodEmitted),
);
export type RunpodVolumeConfiguration = z.infer<typeof RunpodVolumeConfiguration>;

export const KubernetesVolumeConfiguration = named(
  'KubernetesVolumeConfiguration',
  closed({
    ...ofVolume,
    ...backend('kubernetes'),
    ...commonShape,
    ...sizeShape,
    region: string().default(''),
    claim_name: optional(string()),
    storage_class_name: optional(string()),
    access_modes: z.array(string()).default(['ReadWriteOnce']),
    read_only: bool().default(false),
    // Ours, for volumes on hosts only.
    ...hostShape,
  }),
);
export type KubernetesVolumeConfiguration = z.infer<typeof KubernetesVolumeConfiguration>;

const HostPlace = stringBy((text) =>
  isResourceName(text)
    ? text
    : new Problem(`must be the name of an SSH fleet, or ${SERVER_HOST_PLACE}, got ${quote(text)}`),
);

const RemoteModel = named(
  'RemoteVolumeConfiguration',
  closed({
    ...ofVolume,
    ...backend('remote'),
    ...commonShape,
    ...sizeShape,
    ...hostShape,
    region: HostPlace,
    read_only: bool().default(false),
  }),
);

/**
 * A directory of an SSH host or of the server's machine. Clients of dstack 0.22.5 have no type for
 * it, so the API shows it as a Kubernetes volume in a region that no cluster has.
 */
export const RemoteVolumeConfiguration: Reader<KubernetesVolumeConfiguration> = describeJson(
  RemoteModel.transform(
    ({ region, ...volume }): KubernetesVolumeConfiguration => ({
      ...volume,
      backend: 'kubernetes',
      region: hostVolumeRegion(region),
      claim_name: null,
      storage_class_name: null,
      access_modes: ['ReadWriteMany'],
    }),
  ),
  (ref) => ref(RemoteModel),
  (ref) => ref(KubernetesVolumeConfiguration),
);

export const DaytonaVolumeConfiguration = named(
  'DaytonaVolumeConfiguration',
  closed({ ...ofVolume, ...backend('daytona'), ...commonShape, ...externalShape }),
);
export type DaytonaVolumeConfiguration = z.infer<typeof DaytonaVolumeConfiguration>;

export const LiumVolumeConfiguration = named(
  'LiumVolumeConfiguration',
  closed({ ...ofVolume, ...backend('lium'), ...commonShape, ...externalShape }),
);
export type LiumVolumeConfiguration = z.infer<typeof LiumVolumeConfiguration>;

export const VolumeConfiguration = named(
  'VolumeConfiguration',
  tagged(
    'backend',
    {
      aws: AWSVolumeConfiguration,
      gcp: GCPVolumeConfiguration,
      runpod: RunpodVolumeConfiguration,
      kubernetes: KubernetesVolumeConfiguration,
      remote: RemoteVolumeConfiguration,
      daytona: DaytonaVolumeConfiguration,
      lium: LiumVolumeConfiguration,
    },
    { required: 'missing' },
  ),
);
export type VolumeConfiguration = z.infer<typeof VolumeConfiguration>;
