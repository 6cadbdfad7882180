/** Changes of a run's requirements that make it fit one machine. */

import { formatGpu, formatMemoryRange, formatRange } from '@dstack/contract';
import { shellQuote } from '@dstack/contract/shell';
import type { Profile, Requirements, Rule } from '@dstack/contract/wire';
import { configuredBackendName } from '../capabilities/capabilities.ts';
import type { Gang, Offer } from '../model/index.ts';
import { withPlacement, withProfile, withRequirements } from './trials.ts';

type Resources = Requirements['resources'];

/** One property changed: in the gang, as a line of a configuration, as options of `dstack apply`. */
interface Change {
  readonly rule: Rule;
  readonly line: string;
  /** The line belongs under `resources:`. */
  readonly isResource: boolean;
  readonly flags: readonly string[];
  readonly apply: (gang: Gang) => Gang;
}

/** All changes needed for one machine. */
export interface Relaxation {
  readonly rules: readonly Rule[];
  readonly value: string;
  readonly flags: readonly string[];
  readonly apply: (gang: Gang) => Gang;
}

/** Null if the configuration cannot change one of the rules. */
export function relaxation(
  rules: readonly Rule[],
  requirements: Requirements,
  profile: Profile,
  offer: Offer,
): Relaxation | null {
  const changes: Change[] = [];
  for (const rule of rules) {
    const change = changeFor(rule, requirements, profile, offer);
    if (change === null) return null;
    changes.push(change);
  }
  return {
    rules,
    value: configurationLines(changes),
    flags: changes.flatMap((change) => change.flags),
    apply: (gang) => changes.reduce((changed, change) => change.apply(changed), gang),
  };
}

function configurationLines(changes: readonly Change[]): string {
  const resources = changes.filter((change) => change.isResource).map((change) => change.line);
  return [
    ...changes.filter((change) => !change.isResource).map((change) => change.line),
    ...(resources.length === 0 ? [] : ['resources:', ...resources.map((line) => `  ${line}`)]),
  ].join('\n');
}

function changeFor(
  rule: Rule,
  requirements: Requirements,
  profile: Profile,
  offer: Offer,
): Change | null {
  switch (rule) {
    case 'cpu':
    case 'memory':
    case 'disk':
    case 'gpu':
      return resourceChange(rule, requirements.resources, offer);
    case 'max_price':
      return priceChange(offer.price);
    case 'spot':
      return {
        ...{ rule, line: 'spot_policy: auto', isResource: false, flags: ['--spot-auto'] },
        apply: (gang) => withPlacement(gang, { spot_policy: 'auto' }),
      };
    case 'backends':
      return listChange(rule, [...(profile.backends ?? []), configuredBackendName(offer.backend)]);
    case 'regions':
      return listChange(rule, [...(profile.regions ?? []), offer.region]);
    case 'instance_types':
      return listChange(rule, [...(profile.instance_types ?? []), offer.instance.name]);
    default:
      return null;
  }
}

function priceChange(price: number): Change {
  const text = String(price);
  return {
    ...{ rule: 'max_price', line: `max_price: ${text}`, isResource: false },
    flags: ['--max-price', text],
    apply: (gang) =>
      withRequirements(withProfile(gang, { max_price: price }), (asked) => ({
        ...asked,
        max_price: price,
      })),
  };
}

const LIST_FLAGS = {
  backends: '--backend',
  regions: '--region',
  instance_types: '--instance-type',
} as const;

function listChange(rule: keyof typeof LIST_FLAGS, words: readonly string[]): Change {
  const values = [...new Set(words)];
  return {
    ...{ rule, line: `${rule}: [${values.join(', ')}]`, isResource: false },
    flags: values.flatMap((value) => [LIST_FLAGS[rule], shellQuote(value)]),
    apply: (gang) => withProfile(gang, { [rule]: values }),
  };
}

const MIB_PER_GB = 1024;

function resourceChange(
  rule: 'cpu' | 'memory' | 'disk' | 'gpu',
  asked: Resources,
  { instance: { resources: machine } }: Offer,
): Change | null {
  switch (rule) {
    case 'cpu': {
      const count = widened(asked.cpu.count, machine.cpus);
      const cpu = { ...asked.cpu, count };
      return resource(rule, formatRange(count), { cpu });
    }
    case 'memory': {
      const memory = widenedToGb(asked.memory, machine.memory_mib);
      return resource(rule, formatMemoryRange(memory), { memory });
    }
    case 'disk': {
      const size = widenedToGb(asked.disk?.size ?? OPEN, machine.disk?.size_mib ?? 0);
      return resource(rule, formatMemoryRange(size), { disk: { size } });
    }
    case 'gpu':
      return gpuChange(asked, machine.gpus);
  }
}

type Range = Resources['memory'];
const OPEN: Range = { min: null, max: null };

/** Extends the range to include the value. */
function widened({ min, max }: Range, value: number): Range {
  return {
    min: min === null ? null : Math.min(min, value),
    max: max === null ? null : Math.max(max, value),
  };
}

/** In whole gigabytes, as a person would write it, as long as the machine has at least one. */
function widenedToGb({ min, max }: Range, mib: number): Range {
  const value = mib / MIB_PER_GB;
  const { min: low } = widened({ min, max: null }, value < 1 ? value : Math.floor(value));
  const { max: high } = widened({ min: null, max }, Math.ceil(value));
  // A bound that the machine meets stays as it is.
  return {
    min: min !== null && min <= value ? min : low,
    max: max !== null && max >= value ? max : high,
  };
}

/** The machine's GPUs, at most as many as requested. */
function gpuChange(
  { gpu: asked }: Resources,
  gpus: Offer['instance']['resources']['gpus'],
): Change | null {
  const [first] = gpus;
  if (!first || !asked) return null;
  const count = Math.min(gpus.length, asked.count.min ?? gpus.length, asked.count.max ?? Infinity);
  const gpu = {
    ...asked,
    ...{ vendor: first.vendor ?? null, name: [first.name], memory: null, total_memory: null },
    ...{ compute_capability: null, count: { min: Math.max(1, count), max: gpus.length } },
  };
  return resource('gpu', formatGpu({ ...gpu, vendor: null }), { gpu });
}

function resource(rule: Rule, text: string, change: Partial<Resources>): Change {
  return {
    ...{ rule, line: `${rule}: ${text}`, isResource: true, flags: [`--${rule}`, text] },
    apply: (gang) =>
      withRequirements(gang, (asked) => ({
        ...asked,
        resources: { ...asked.resources, ...change },
      })),
  };
}
