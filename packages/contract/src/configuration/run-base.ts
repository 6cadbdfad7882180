import * as z from 'zod';
import { numberText } from '../grammar/number-text.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { parseShell, parseUnixUser } from '../grammar/unix-user.ts';
import { BackendSettings } from './backend-settings.ts';
import { RunDependencies } from './depends-on.ts';
import { Env } from './env.ts';
import { FilePathMapping, Repos } from './files-and-repos.ts';
import { MountPoint } from './mounts.ts';
import { profileShape } from './profile.ts';
import { defaultResources, ResourcesSpec } from './resources.ts';
import { bool, int, optional, ours, path, readString, string } from './scalars.ts';
import { closed, named, type Reader, reader } from './schema-kit.ts';

export const RegistryAuth = named(
  'RegistryAuth',
  closed({ username: string(), password: string() }),
);
export type RegistryAuth = z.infer<typeof RegistryAuth>;

export const PYTHON_VERSIONS = ['3.9', '3.10', '3.11', '3.12', '3.13', '3.14', '3.15'] as const;
export type PythonVersionName = (typeof PYTHON_VERSIONS)[number];

/**
 * Version of Python in the default image. YAML reads 3.10 as the number 3.1, which is not a
 * version.
 */
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

/** The keys of every run configuration, in the order of the API; each kind adds `type`. */
export const runShape = {
  name: optional(string()),
  image: optional(string()),
  user: optional(checkedText(parseUnixUser)),
  privileged: bool().default(false),
  entrypoint: optional(string()),
  working_dir: optional(path()),
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
  depends_on: ours(RunDependencies),
  backend_settings: ours(BackendSettings),
  ...profileShape,
};
