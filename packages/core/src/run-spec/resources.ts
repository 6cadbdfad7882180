import { commonVendor } from '@dstack/contract';
import type { ResourcesSpec, RunSpec } from '@dstack/contract/wire';
import { type SpecError, specError } from './result.ts';

type Gpu = NonNullable<ResourcesSpec['gpu']>;
type Configuration = RunSpec['configuration'];

/** The properties of a job's image that its resources depend on. */
interface ImageChoice {
  readonly image: boolean;
  readonly docker: boolean;
}

/** The GPU specification that null means: any number, including none. */
const ANY_GPU: Gpu = {
  vendor: null,
  name: null,
  count: { min: 0, max: null },
  memory: null,
  total_memory: null,
  compute_capability: null,
};

/**
 * Accelerators for which the default image and the one of `docker: true` contain the drivers'
 * libraries.
 */
const DEFAULT_IMAGE_VENDORS = ['nvidia', 'google'];

/** The configuration with GPU defaults and vendors filled in, at the top and in each group. */
export function withResourceDefaults(configuration: Configuration): Configuration {
  const top = choiceOf(configuration, null);
  const resources = filled(configuration.resources, top);
  if (configuration.type === 'dev-environment') return { ...configuration, resources };
  const groups = configuration.groups;
  if (!groups) return { ...configuration, resources };
  const filledGroups = (groups as readonly Group[]).map((group) => ({
    ...group,
    resources: filled(group.resources, choiceOf(configuration, group)),
  }));
  return { ...configuration, resources, groups: filledGroups } as Configuration;
}

interface Group {
  readonly resources: ResourcesSpec;
  readonly image?: string | null;
  readonly docker?: boolean | null;
}

function choiceOf(configuration: Configuration, group: Group | null): ImageChoice {
  const own = Boolean(group?.image) || Boolean(group?.docker);
  return own
    ? { image: Boolean(group?.image), docker: Boolean(group?.docker) }
    : { image: Boolean(configuration.image), docker: Boolean(configuration.docker) };
}

function filled(resources: ResourcesSpec, choice: ImageChoice): ResourcesSpec {
  const gpu = resources.gpu ?? ANY_GPU;
  return { ...resources, gpu: { ...gpu, vendor: vendorFor(gpu, choice) } };
}

function vendorFor(gpu: Gpu, { image, docker }: ImageChoice): Gpu['vendor'] {
  if (gpu.vendor || gpu.count.max === 0) return gpu.vendor;
  if (gpu.name && gpu.name.length > 0) return commonVendor(gpu.name) ?? null;
  return image || docker ? null : 'nvidia';
}

/**
 * Excludes machines that cannot run the image of a job. Task resources beside groups are not used.
 */
export function resourcesError(configuration: Configuration): SpecError | null {
  const groups = configuration.type === 'dev-environment' ? null : configuration.groups;
  const used: readonly [ResourcesSpec, ImageChoice][] = groups
    ? (groups as readonly Group[]).map((group) => [group.resources, choiceOf(configuration, group)])
    : [[configuration.resources, choiceOf(configuration, null)]];
  for (const [resources, choice] of used) {
    const error = archError(resources, choice) ?? vendorError(resources, choice);
    if (error) return error;
  }
  return null;
}

function archError(resources: ResourcesSpec, { image, docker }: ImageChoice): SpecError | null {
  if (resources.cpu.arch !== 'arm') return null;
  if (docker) return specError('`docker: true` is not available on ARM CPUs');
  return image ? null : specError('`image` must be set when ARM CPU requested');
}

function vendorError(resources: ResourcesSpec, { image, docker }: ImageChoice): SpecError | null {
  const gpu = resources.gpu;
  if (!gpu || image || docker || gpu.count.max === 0) return null;
  const named = (gpu.name ?? []).map((name) => commonVendor([name]));
  const vendors = [gpu.vendor, ...named].filter((vendor) => vendor != null);
  const other = vendors.find((vendor) => !DEFAULT_IMAGE_VENDORS.includes(vendor));
  if (!other) return null;
  return specError(`\`image\` must be set when accelerators of ${other} are requested`);
}
