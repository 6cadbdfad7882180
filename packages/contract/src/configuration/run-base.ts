import * as z from 'zod';
import { ENV_ITEM_PATTERN, type EnvReference, parseEnvItem } from '../grammar/env.ts';
import { parseFileMapping, windowsTarget } from '../grammar/file-mapping.ts';
import { parseMount } from '../grammar/mount.ts';
import { isAnyNumber, numberText, toNumber, WholeFloat } from '../grammar/number-text.ts';
import { hasDrive, normalizeMountPath } from '../grammar/paths.ts';
import { isPort, MAX_PORT, parsePort } from '../grammar/ports.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { parseRepo } from '../grammar/repo.ts';
import { parseShell, parseUnixUser } from '../grammar/unix-user.ts';
import { report } from './issue.ts';
import { profileShape } from './profile.ts';
import { defaultResources, ResourcesSpec } from './resources.ts';
import { bool, int, limited, optional, readString, string } from './scalars.ts';
import {
  choice,
  closed,
  isMap,
  named,
  oneOf,
  type Reader,
  reader,
  shorthand,
} from './schema-kit.ts';

/** A variable whose value the CLI takes from its own environment before anything is sent. */
export const EnvSentinel = named('EnvSentinel', closed({ key: string() }));
export type EnvSentinel = EnvReference;

/** Environment variables; JSON is always a map. */
export const Env: Reader<Record<string, string | EnvSentinel>> = named(
  'Env',
  reader<Record<string, string | EnvSentinel>>(
    readEnv,
    (ref) => ({
      anyOf: [
        { type: 'array', items: { type: 'string', pattern: ENV_ITEM_PATTERN } },
        { type: 'object', additionalProperties: { anyOf: [{ type: 'string' }, ref(EnvSentinel)] } },
      ],
    }),
    (ref) => ({
      type: 'object',
      additionalProperties: { anyOf: [{ type: 'string' }, ref(EnvSentinel)] },
    }),
  ),
);
export type Env = z.infer<typeof Env>;

function readEnv(value: unknown): Env | Problem {
  if (Array.isArray(value)) return readEnvList(value);
  if (isMap(value)) return readEnvMap(value);
  return new Problem(
    `must be a list of 'NAME=value' or a map of names and values, got ${quote(value)}`,
  );
}

function readEnvList(list: readonly unknown[]): Env | Problem {
  const env = new Map<string, string | EnvSentinel>();
  for (const [index, item] of list.entries()) {
    const at = [index];
    const text = readString(item);
    if (text instanceof Problem) {
      return new Problem(`has an item that is no string: write 'NAME=value', got ${quote(item)}`, {
        at,
      });
    }
    const entry = parseEnvItem(text);
    if (entry instanceof Problem) return new Problem(entry.message, { at });
    if (env.has(entry[0]))
      return new Problem(`has the variable ${entry[0]} twice: keep one`, { at });
    env.set(...entry);
  }
  return Object.fromEntries(env);
}

function readEnvMap(map: Record<string, unknown>): Env | Problem {
  const env = new Map<string, string | EnvSentinel>();
  for (const [name, value] of Object.entries(map)) {
    const read = isMap(value) ? readSentinel(value) : readString(value);
    if (!(read instanceof Problem)) env.set(name, read);
    else
      return new Problem(`has no usable value for ${name}: it ${envFix(name, value, read)}`, {
        at: [name],
      });
  }
  return Object.fromEntries(env);
}

function readSentinel(value: Record<string, unknown>): EnvSentinel | Problem {
  const read = EnvSentinel.safeParse(value);
  return read.success ? read.data : new Problem('must be a string, or {key: NAME}');
}

function envFix(name: string, value: unknown, problem: Problem): string {
  if (value !== null) return problem.message;
  return `is empty: write ${name}: "" for an empty text, or list '- ${name}' to take it from your environment`;
}

const PortModel = named(
  'PortMapping',
  closed({
    local_port: optional(int({ gt: 0, le: MAX_PORT })),
    container_port: int({ gt: 0, le: MAX_PORT }),
  }),
);

const PORT_NUMBER = { type: 'integer', exclusiveMinimum: 0, maximum: MAX_PORT };

/** `8000`, `80:8000` (local:container), `*:8000` (any free local port). `local_port` null = any. */
export const PortMapping = shorthand(PortModel, expandPort, (ref) => ({
  anyOf: [PORT_NUMBER, { type: 'string', pattern: '^(?:[0-9]+|\\*):[0-9]+$' }, ref(PortModel)],
}));
export type PortMapping = z.infer<typeof PortMapping>;

function expandPort(value: unknown): unknown {
  if (typeof value === 'string') return parsePort(value);
  if (value === true || (isAnyNumber(value) && !(value instanceof WholeFloat))) {
    const port = value === true ? 1 : toNumber(value);
    if (!Number.isInteger(port))
      return new Problem(`must be a whole number, got ${port}`, { type: 'int_type' });
    const checked = limited(port, { gt: 0, le: MAX_PORT });
    return checked instanceof Problem ? checked : { local_port: port, container_port: port };
  }
  if (isMap(value)) return value;
  return new Problem(`must be a port like 8000, '80:8000' or '*:8000', got ${quote(value)}`);
}

/** Port of a service: the local half is never used, so a bare number stands behind port 80. */
export const ServicePort: Reader<PortMapping> = oneOf<PortMapping>(
  (value) => (isMap(value) ? PortModel : ServicePortText),
  (ref) => ({
    anyOf: [PORT_NUMBER, { type: 'string', pattern: '^[0-9]+:[0-9]+$' }, ref(PortModel)],
  }),
  (ref) => ref(PortModel),
);

const ServicePortText: Reader<PortMapping> = reader(
  (value) => {
    const text = isAnyNumber(value) && !(value instanceof WholeFloat) ? numberText(value) : value;
    const parsed = typeof text === 'string' && !text.startsWith('*') ? parsePort(text) : undefined;
    if (parsed instanceof Problem) return parsed;
    if (!parsed || !isPort(parsed.container_port)) {
      return new Problem(`must be a port like 8000, got ${quote(value)}`);
    }
    const isBare = !String(text).includes(':');
    return isBare ? { local_port: 80, container_port: parsed.container_port } : { ...parsed };
  },
  { type: 'string' },
);

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

const FileTarget: Reader<string> = reader(
  (value) => {
    const text = readString(value);
    return !(text instanceof Problem) && hasDrive(text) ? windowsTarget(text) : text;
  },
  { type: 'string' },
);

const FileModel = named('FilePathMapping', closed({ local_path: string(), path: FileTarget }));

/** `path`, `local:container` or `{local_path, path}`. */
export const FilePathMapping = shorthand(
  FileModel,
  (value) => (typeof value === 'string' ? parseFileMapping(value) : value),
  (ref) => ({ anyOf: [ref(FileModel), { type: 'string' }] }),
);
export type FilePathMapping = z.infer<typeof FilePathMapping>;

export const RepoExistsAction = choice(['error', 'skip'], 'enum', 'RepoExistsAction');
export type RepoExistsAction = z.infer<typeof RepoExistsAction>;

const RepoTarget: Reader<string> = reader(
  (value) => {
    const text = readString(value);
    if (text instanceof Problem || !/^~[^/]/.test(text)) return text;
    return new Problem(
      `must not name another user's home, got ${quote(text)}: '~' and '~/x' are allowed`,
    );
  },
  { type: 'string' },
);

const RepoModel = named(
  'RepoSpec',
  closed({
    local_path: optional(string()),
    url: optional(string()),
    branch: optional(string()),
    hash: optional(string()),
    path: RepoTarget.default('.'),
    if_exists: RepoExistsAction.default('error'),
  }),
);

const CheckedRepo = RepoModel.superRefine((repo, ctx) => {
  if ((repo.local_path === null) === (repo.url === null)) {
    const what = repo.url === null ? 'needs' : 'has both local_path and url: it needs';
    report(ctx, repo, new Problem(`${what} exactly one of local_path and url`));
  }
});

/** `local[:path]`, `url[:path]` or the model's own map. */
export const RepoSpec = shorthand(
  CheckedRepo,
  (value) => (typeof value === 'string' ? parseRepo(value) : value),
  (ref) => ({ anyOf: [ref(RepoModel), { type: 'string' }] }),
);
export type RepoSpec = z.infer<typeof RepoSpec>;

const Repos = z.array(RepoSpec).superRefine((repos, ctx) => {
  if (repos.length > 1)
    report(ctx, repos, new Problem(`must have one entry at most, has ${repos.length}`));
});

export const RegistryAuth = named(
  'RegistryAuth',
  closed({ username: string(), password: string() }),
);
export type RegistryAuth = z.infer<typeof RegistryAuth>;

export const PYTHON_VERSIONS = ['3.9', '3.10', '3.11', '3.12', '3.13', '3.14', '3.15'] as const;
export type PythonVersionName = (typeof PYTHON_VERSIONS)[number];

/** Version of Python in the default image. The number 3.10 arrives as 3.1, which is no version. */
export const PythonVersion: Reader<PythonVersionName> = named(
  'PythonVersion',
  reader<PythonVersionName>(
    (value) => {
      const isFloat = typeof value === 'number' && !Number.isInteger(value);
      const text = isFloat ? (value === 3.1 ? '3.10' : numberText(value)) : value;
      const version = PYTHON_VERSIONS.find((known) => known === text);
      const message = `must be one of ${PYTHON_VERSIONS.join(', ')}, got ${quote(value)}`;
      return (
        version ?? new Problem(message, { type: typeof text === 'string' ? 'value_error' : 'enum' })
      );
    },
    { type: 'string', enum: [...PYTHON_VERSIONS] },
  ),
);
export type PythonVersion = PythonVersionName;

function checkedText(check: (text: string) => unknown): Reader<string> {
  return reader(
    (value) => {
      const text = readString(value);
      if (text instanceof Problem) return text;
      const result = check(text);
      return result instanceof Problem ? result : text;
    },
    { type: 'string' },
  );
}

/** The keys of every run configuration, in the order of the wire; `type` is added by each kind. */
export const runShape = {
  name: optional(string()),
  image: optional(string()),
  user: optional(checkedText(parseUnixUser)),
  privileged: bool().default(false),
  entrypoint: optional(string()),
  working_dir: optional(string()),
  home_dir: string().default('/root'),
  registry_auth: optional(RegistryAuth),
  python: optional(PythonVersion),
  nvcc: optional(bool()),
  single_branch: optional(bool()),
  env: Env.default({}),
  shell: optional(checkedText(parseShell)),
  resources: ResourcesSpec.default(defaultResources),
  priority: optional(int({ ge: 0, le: 100 })),
  volumes: z.array(MountPoint).default([]),
  docker: optional(bool()),
  repos: Repos.default([]),
  files: z.array(FilePathMapping).default([]),
  dstack: bool().default(false),
  setup: z.array(string()).default([]),
  ...profileShape,
};
