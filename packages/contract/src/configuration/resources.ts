import * as z from 'zod';
import {
  ACCELERATOR_VENDORS,
  type AcceleratorVendorName,
  vendorFromText,
} from '../grammar/accelerators.ts';
import {
  CPU_ARCHITECTURES,
  type CpuArchitectureName,
  cpuArchitectureFromText,
  parseCpu,
  unknownArchitecture,
} from '../grammar/cpu.ts';
import { parseGpu } from '../grammar/gpu.ts';
import { parseMemory } from '../grammar/memory.ts';
import { nearest } from '../grammar/nearest.ts';
import { isAnyNumber, numberText, WholeFloat } from '../grammar/number-text.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { checkRange, type Range, splitRange } from '../grammar/range.ts';
import { delegate, reportIssue } from './issue.ts';
import { describeJson, type JsonForm, type JsonSchema } from './json-form.ts';
import { int, optional, readFloat, readInt, readString } from './scalars.ts';
import { closed, isMap, named, type Reader, reader, shorthand } from './schema-kit.ts';

const INTEGER: JsonSchema = { type: 'integer' };
const NUMBER: JsonSchema = { type: 'number' };
const STRING: JsonSchema = { type: 'string' };

/** The model's own form, a number, or its short text. */
function orShort(model: z.ZodType): JsonForm {
  return (ref) => ({ anyOf: [ref(model), INTEGER, STRING] });
}

/** Gigabytes: a number, or a text with unit (`512MB`, `16GB`, `1.5TB`). */
export const Memory: Reader<number> = reader(
  (value) => {
    const size = typeof value === 'string' ? parseMemory(value) : readFloat(value);
    return typeof size === 'number' && Number.isNaN(size)
      ? new Problem('must be an amount of memory, got .nan')
      : size;
  },
  { anyOf: [NUMBER, INTEGER, STRING] },
  NUMBER,
);
export type Memory = number;

/** `x`, `a..b`, `a..`, `..b` or `{min, max}`; JSON always has both bounds, null = open. */
function range(name: string, bound: Reader<number>): Reader<Range> {
  const bounds = named(name, closed({ min: optional(bound), max: optional(bound) }));
  const schema = z.unknown().transform((value, ctx): Range => {
    const read = readRange(value, bounds, bound, ctx);
    if (ctx.issues.length > 0) return z.NEVER;
    const checked = checkRange(read);
    if (!(checked instanceof Problem)) return checked;
    reportIssue(ctx, value, checked);
    return z.NEVER;
  });
  return describeJson(schema, orShort(bounds), (ref) => ref(bounds));
}

function readRange(
  value: unknown,
  bounds: Reader<Range>,
  bound: Reader<number>,
  ctx: z.RefinementCtx,
): Range {
  if (isMap(value)) return delegate(ctx, bounds, value);
  if (typeof value === 'string' && value.includes('..')) {
    const parts = splitRange(value);
    if (!(parts instanceof Problem)) return delegate(ctx, bounds, parts);
    reportIssue(ctx, value, parts);
    return z.NEVER;
  }
  if (typeof value === 'string' || typeof value === 'boolean' || isAnyNumber(value)) {
    const one = delegate(ctx, bound, value, ['min']);
    return { min: one, max: one };
  }
  const type = value === undefined ? 'missing' : 'model_type';
  const message =
    value === undefined
      ? 'is required'
      : `must be a range like '2', '2..8' or '2..', got ${quote(value)}`;
  reportIssue(ctx, value, new Problem(message, { type }));
  return z.NEVER;
}

/** Range of whole numbers, both bounds inclusive. */
export const RangeInt = range('Range_int_', int());
export type RangeInt = z.infer<typeof RangeInt>;

/** Range of gigabytes, both bounds inclusive. */
export const RangeMemory = range('Range_Memory_', Memory);
export type RangeMemory = z.infer<typeof RangeMemory>;

export const CPUArchitecture = named(
  'CPUArchitecture',
  reader<CpuArchitectureName>(
    (value) => {
      const arch = typeof value === 'string' ? cpuArchitectureFromText(value) : undefined;
      return arch ?? unknownArchitecture(typeof value === 'string' ? value : quote(value));
    },
    { type: 'string', enum: [...CPU_ARCHITECTURES] },
  ),
);
export type CPUArchitecture = CpuArchitectureName;

const DEFAULT_CPU_COUNT = { min: 2, max: null };

const CpuModel = named(
  'CPUSpec',
  closed({ arch: optional(CPUArchitecture), count: RangeInt.default(DEFAULT_CPU_COUNT) }),
);

/** `4`, `4..8`, `arm:4..` or `{arch, count}`. */
export const CPUSpec = shorthand(CpuModel, expandCpu, orShort(CpuModel));
export type CPUSpec = z.infer<typeof CPUSpec>;

function expandCpu(value: unknown): unknown {
  if (typeof value === 'string') return parseCpu(value);
  if (isWholeNumber(value)) return parseCpu(numberText(value));
  if (!isMap(value)) {
    return new Problem(`must be a count of CPUs like 4, '4..8' or 'arm:4..', got ${quote(value)}`, {
      type: 'model_type',
    });
  }
  const keys = Object.keys(value);
  const isLegacyRange = keys.length > 0 && keys.every((key) => key === 'min' || key === 'max');
  return isLegacyRange ? { count: value } : value;
}

/** A whole number that was not written as a float. */
function isWholeNumber(value: unknown): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
}

export const AcceleratorVendor = named(
  'AcceleratorVendor',
  reader<AcceleratorVendorName>(
    (value) => {
      const vendor = typeof value === 'string' ? vendorFromText(value) : undefined;
      if (vendor) return vendor;
      const suggestion =
        typeof value === 'string' ? nearest(value, ACCELERATOR_VENDORS) : undefined;
      return new Problem(
        `must be one of ${ACCELERATOR_VENDORS.join(', ')} (or tpu, tt), got ${quote(value)}`,
        suggestion === undefined ? {} : { suggestion },
      );
    },
    { type: 'string', enum: [...ACCELERATOR_VENDORS] },
  ),
);
export type AcceleratorVendor = AcceleratorVendorName;

/** `7.5`, `"7.5"` or `[7, 5]`; JSON `[7, 5]`. */
export const ComputeCapability: Reader<[number, number]> = reader(
  readComputeCapability,
  { anyOf: [NUMBER, STRING, { type: 'array', items: INTEGER }] },
  { type: 'array', items: INTEGER, minItems: 2, maxItems: 2 },
);

function readComputeCapability(value: unknown): [number, number] | Problem {
  const problem = new Problem(`must be a version like 8.0, '9.0' or [7, 5], got ${quote(value)}`);
  if (Array.isArray(value)) {
    const [major, minor] = value.map(readInt);
    return value.length === 2 && typeof major === 'number' && typeof minor === 'number'
      ? [major, minor]
      : problem;
  }
  const isFloat =
    value instanceof WholeFloat || (typeof value === 'number' && !Number.isInteger(value));
  const text = isFloat ? numberText(value) : value;
  const match = typeof text === 'string' ? /^\s*(\d+)\.(\d+)\s*$/.exec(text) : null;
  return match ? [Number(match[1]), Number(match[2])] : problem;
}

/** Names of accelerators; the prefix `tpu-` of old configurations is dropped. */
const GpuNames: Reader<string[]> = reader(
  (value) => {
    const names: string[] = [];
    for (const item of Array.isArray(value) ? value : [value]) {
      const name = readString(item);
      if (name instanceof Problem) return name;
      names.push(name.startsWith('tpu-') ? name.slice('tpu-'.length) : name);
    }
    return names;
  },
  { anyOf: [{ type: 'array', items: STRING }, STRING] },
  { type: 'array', items: STRING },
);

const GpuModel = named(
  'GPUSpec',
  closed({
    vendor: optional(AcceleratorVendor),
    name: optional(GpuNames),
    count: RangeInt.default({ min: 1, max: null }),
    memory: optional(RangeMemory),
    total_memory: optional(RangeMemory),
    compute_capability: optional(ComputeCapability),
  }),
);

/** `H100`, `A100:80GB:2`, `amd:1..4`, a count, or the model's own map. */
export const GPUSpec = shorthand(GpuModel, expandGpu, orShort(GpuModel));
export type GPUSpec = z.infer<typeof GPUSpec>;

function expandGpu(value: unknown): unknown {
  if (typeof value === 'string') return parseGpu(value);
  // dstack 0.22.5 reads a boolean as the text of a name; such documents exist.
  if (typeof value === 'boolean') return parseGpu(value ? 'True' : 'False');
  if (isWholeNumber(value)) return parseGpu(numberText(value));
  if (isMap(value)) return value;
  return new Problem(
    `must be a GPU requirement like 'H100', 'A100:80GB:2' or a count, got ${quote(value)}`,
    {
      type: 'model_type',
    },
  );
}

const DiskModel = named('DiskSpec', closed({ size: RangeMemory }));

/** `100GB`, `100GB..`, a number of gigabytes, or `{size}`. */
export const DiskSpec = shorthand(
  DiskModel,
  (value) => (typeof value === 'string' || isAnyNumber(value) ? { size: value } : value),
  orShort(DiskModel),
);
export type DiskSpec = z.infer<typeof DiskSpec>;

const DEFAULT_CPU = { arch: null, count: DEFAULT_CPU_COUNT };
const DEFAULT_MEMORY = { min: 8, max: null };
const DEFAULT_DISK = { size: { min: 100, max: null } };

/** The meaning of a missing GPU requirement: any number of GPUs, including none. */
export const DEFAULT_GPU: GPUSpec = {
  vendor: null,
  name: null,
  count: { min: 0, max: null },
  memory: null,
  total_memory: null,
  compute_capability: null,
};

export const ResourcesSpec = named(
  'ResourcesSpec',
  closed({
    cpu: CPUSpec.default(DEFAULT_CPU),
    memory: RangeMemory.default(DEFAULT_MEMORY),
    shm_size: optional(Memory),
    gpu: GPUSpec.nullable().default(DEFAULT_GPU),
    disk: DiskSpec.nullable().default(DEFAULT_DISK),
  }),
);
export type ResourcesSpec = z.infer<typeof ResourcesSpec>;

/** The resources of a document that does not set any. */
export function defaultResources(): ResourcesSpec {
  return ResourcesSpec.parse({});
}

/** Resources without any limit, for fleets without `resources` and for the search of offers. */
export function unconstrainedResources(): ResourcesSpec {
  return ResourcesSpec.parse({ cpu: { count: '1..' }, memory: '0..', disk: null });
}
