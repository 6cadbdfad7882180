import * as z from 'zod';
import { IdleDuration } from './durations.ts';
import { describeJson } from './json-form.ts';
import { Tags } from './profile.ts';
import { Memory } from './resources.ts';
import { bool, optional, string } from './scalars.ts';
import { choice, closed, named, tagged } from './schema-kit.ts';

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
  }),
);
export type KubernetesVolumeConfiguration = z.infer<typeof KubernetesVolumeConfiguration>;

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
      daytona: DaytonaVolumeConfiguration,
      lium: LiumVolumeConfiguration,
    },
    { required: 'missing' },
  ),
);
export type VolumeConfiguration = z.infer<typeof VolumeConfiguration>;
