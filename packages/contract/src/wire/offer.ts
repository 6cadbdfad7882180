/** Instance types and priced offers. */
import * as z from 'zod';
import { BackendType } from './backend.ts';
import { choiceOf, Flag, Float, Integer, JsonObject, model, nullable, Text } from './scalars.ts';

export const CPU_ARCHITECTURES = ['x86', 'arm'] as const;
export const CPUArchitecture = choiceOf(CPU_ARCHITECTURES);
export type CPUArchitecture = z.infer<typeof CPUArchitecture>;

export const ACCELERATOR_VENDORS = ['nvidia', 'amd', 'google', 'intel', 'tenstorrent'] as const;
export const AcceleratorVendor = choiceOf(ACCELERATOR_VENDORS);
export type AcceleratorVendor = z.infer<typeof AcceleratorVendor>;

/** One device; `name` without the prefix `tpu-`. */
export const Gpu = model({ name: Text, memory_mib: Integer, vendor: nullable(AcceleratorVendor) });
export type Gpu = z.infer<typeof Gpu>;

export const Disk = model({ size_mib: Integer });
export type Disk = z.infer<typeof Disk>;

/** The resources of an instance; sizes in MiB. `description` is sent by old clients and ignored. */
export const Resources = model({
  cpus: Integer,
  memory_mib: Integer,
  gpus: z.array(Gpu),
  spot: Flag,
  disk: Disk.default({ size_mib: 102400 }),
  cpu_arch: nullable(CPUArchitecture),
  description: Text.default(''),
});
export type Resources = z.infer<typeof Resources>;

export const InstanceType = model({ name: Text, resources: Resources });
export type InstanceType = z.infer<typeof InstanceType>;

/** `available`, `unknown` and `idle` count as available when offers are sorted. */
export const INSTANCE_AVAILABILITIES = [
  'unknown',
  'available',
  'not_available',
  'no_quota',
  'no_balance',
  'idle',
  'busy',
] as const;
export const InstanceAvailability = choiceOf(INSTANCE_AVAILABILITIES);
export type InstanceAvailability = z.infer<typeof InstanceAvailability>;

export const InstanceRuntime = choiceOf(['shim', 'runner']);
export type InstanceRuntime = z.infer<typeof InstanceRuntime>;

/** Names of an offer's nodes that an answer has at most. */
export const MAX_NAMED_NODES = 50;

/** Identical nodes of a cluster. */
const IdenticalNodes = model({
  count: Integer,
  /** The first `MAX_NAMED_NODES` ones. */
  names: z.array(Text),
});

/**
 * `price`: USD per hour of the (shared) offer. Our additions: `nodes`, for our own clients: the nodes that
 * it stands for, if they are several; `instance` has the name of the first. `hostname`: of an SSH host.
 */
export const InstanceOfferWithAvailability = model({
  backend: BackendType,
  instance: InstanceType,
  region: Text,
  price: Float,
  backend_data: JsonObject.default(() => ({})),
  availability: InstanceAvailability,
  availability_zones: nullable(z.array(Text)),
  instance_runtime: InstanceRuntime.default('shim'),
  blocks: Integer.default(1),
  total_blocks: Integer.default(1),
  nodes: IdenticalNodes.optional(),
  hostname: Text.optional(),
});
export type InstanceOfferWithAvailability = z.infer<typeof InstanceOfferWithAvailability>;
