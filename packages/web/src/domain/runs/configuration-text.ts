import { toYaml } from '../format/yaml.ts';

/** The keys that readers look for first, in their order; the others follow as the API has them. */
const FIRST = [
  'type',
  'name',
  'image',
  'docker',
  'python',
  'ide',
  'version',
  'nodes',
  'port',
  'model',
  'replicas',
  'env',
  'setup',
  'init',
  'commands',
  'ports',
  'working_dir',
  'repos',
  'files',
  'volumes',
  'resources',
];

/** Values that mean the same as a missing key. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  auth: true,
  strip_prefix: true,
  nodes: 1,
  privileged: false,
  dstack: false,
  priority: 0,
  home_dir: '/root',
};

export function configurationText(configuration: object): string {
  return toYaml(shortConfiguration(configuration));
}

/** A configuration as one would write it: no empty and no default values, short ranges. */
export function shortConfiguration(configuration: object): Readonly<Record<string, unknown>> {
  const entries = Object.entries(configuration)
    .map(([key, value]) => [key, shortened(key, value)] as const)
    .filter(([key, value]) => !isEmpty(value) && DEFAULTS[key] !== value)
    .sort(([a], [b]) => rank(a) - rank(b));
  return Object.fromEntries(entries);
}

const rank = (key: string): number => {
  const at = FIRST.indexOf(key);
  return at < 0 ? FIRST.length : at;
};

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  return typeof value === 'object' && Object.values(value).every(isEmpty);
}

function shortened(key: string, value: unknown): unknown {
  if (key === 'resources') return shortResources(value);
  if (key === 'port' && isMap(value) && value.local_port === 80) return value.container_port;
  return value;
}

/** Sizes of the language, which the API has in GB. */
const SIZES = ['memory', 'size', 'shm_size', 'total_memory'];

function shortResources(value: unknown): unknown {
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => !isEmpty(part))
      .map(([key, part]) => [key, shortPart(key, part)]),
  );
}

function shortPart(key: string, part: unknown): unknown {
  const unit = SIZES.includes(key) ? 'GB' : '';
  if (typeof part === 'number' && unit !== '') return `${part}${unit}`;
  if (!isMap(part)) return part;
  const [only, ...others] = Object.keys(part).filter((name) => !isEmpty(part[name]));
  if (only === 'count' && others.length === 0 && key === 'cpu') return shortPart('', part.count);
  if (!('min' in part || 'max' in part)) return shortResources(part);
  const [min, max] = [bound(part.min, unit), bound(part.max, unit)];
  if (min === max) return unit === '' ? part.min : min;
  return `${min}..${max}`;
}

const bound = (value: unknown, unit: string): string =>
  value === null || value === undefined ? '' : `${value}${unit}`;

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
