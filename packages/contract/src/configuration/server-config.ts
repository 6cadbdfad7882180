import * as z from 'zod';
import { Problem, quote } from '../grammar/problem.ts';
import { BackendFileConfig } from './backend-files.ts';
import { backendProblems } from './backend-rules.ts';
import { fillBackendSecrets, type ReadTextFile } from './backend-secrets.ts';
import { delegate, reportIssue } from './issue.ts';
import { bool, optional, readString, string } from './scalars.ts';
import { choice, closed, isMap, named, type Reader, reader, tagged } from './schema-kit.ts';
import { SimBackendConfig } from './sim-backend.ts';

/** Size of an AES-256 key in bytes. */
const AES_KEY_BYTES = 32;

const KeyName: Reader<string> = reader(
  (value) => {
    const text = readString(value);
    if (text instanceof Problem || /^[\p{L}\p{N}]+$/u.test(text)) return text;
    return new Problem(`must have letters and digits only, got ${quote(text)}`);
  },
  { type: 'string' },
);

const AesSecret: Reader<string> = reader(
  (value) => {
    const text = readString(value);
    if (text instanceof Problem) return text;
    const bytes = base64Bytes(text);
    if (bytes === AES_KEY_BYTES) return text;
    const got = bytes === undefined ? 'text that is not base64' : `${bytes} bytes`;
    return new Problem(
      `must be ${AES_KEY_BYTES} bytes in base64, got ${got}: create one with 'head -c 32 /dev/urandom | base64'`,
    );
  },
  { type: 'string' },
);

/** Number of bytes that a base64 text decodes to; undefined if it is not base64. */
function base64Bytes(text: string): number | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return (text.length / 4) * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);
}

export const AESEncryptionKeyConfig = named(
  'AESEncryptionKeyConfig',
  closed({
    type: choice(['aes'], 'literal_error').default('aes'),
    name: KeyName,
    secret: AesSecret,
  }),
);
export type AESEncryptionKeyConfig = z.infer<typeof AESEncryptionKeyConfig>;

export const IdentityEncryptionKeyConfig = named(
  'IdentityEncryptionKeyConfig',
  closed({ type: choice(['identity'], 'literal_error').default('identity') }),
);
export type IdentityEncryptionKeyConfig = z.infer<typeof IdentityEncryptionKeyConfig>;

/** The first key encrypts, all of them are tried to decrypt. */
export const EncryptionConfig = named(
  'EncryptionConfig',
  closed({
    keys: z.array(
      tagged('type', { aes: AESEncryptionKeyConfig, identity: IdentityEncryptionKeyConfig }),
    ),
  }),
);
export type EncryptionConfig = z.infer<typeof EncryptionConfig>;

export const DefaultPermissions = named(
  'DefaultPermissions',
  closed({
    allow_non_admins_create_projects: bool().default(true),
    allow_non_admins_manage_ssh_fleets: bool().default(true),
    allow_managers_manage_secrets: bool().default(false),
  }),
);
export type DefaultPermissions = z.infer<typeof DefaultPermissions>;

/** A backend of a project in the file. */
export type ConfiguredBackend = BackendFileConfig | SimBackendConfig;

function project<B extends ConfiguredBackend>(backend: Reader<B>) {
  const backends = z.array(backend).superRefine((entries, ctx) => {
    for (const [index, entry] of entries.entries()) {
      if (isSimBackend(entry)) continue;
      for (const { path, problem } of backendProblems(entry)) {
        reportIssue(ctx, entries, problem, [index, ...path]);
      }
    }
  });
  return closed({ name: string(), backends: optional(backends) });
}

const isSimBackend = (backend: ConfiguredBackend): backend is SimBackendConfig =>
  backend.type === 'sim';

function serverConfig<P extends z.ZodType>(projectConfig: P) {
  return closed({
    projects: z.array(projectConfig),
    encryption: optional(EncryptionConfig),
    default_permissions: optional(DefaultPermissions),
    plugins: optional(z.array(string())),
  });
}

export const ProjectConfig = named('ProjectConfig', project(BackendFileConfig));

/** `~/.dstack/server/config.yml`. */
export const ServerConfig = named('ServerConfig', serverConfig(ProjectConfig));

const SIM_REFUSED =
  'is the simulated backend of tests and benchmarks: a server takes it only with DSTACK_SIM=1 in its environment';

/** The schema for editors does not contain the simulated backend. */
function configuredBackend(sim: boolean): Reader<ConfiguredBackend> {
  return z.unknown().transform((value, ctx): ConfiguredBackend => {
    if (!isMap(value) || value.type !== 'sim') return delegate(ctx, BackendFileConfig, value);
    if (sim) return delegate(ctx, SimBackendConfig, value);
    reportIssue(ctx, value, new Problem(SIM_REFUSED, { type: 'union_tag_invalid', at: ['type'] }));
    return z.NEVER;
  });
}

const readServerConfig = (sim: boolean) => serverConfig(project(configuredBackend(sim)));
export type ServerConfig = z.infer<ReturnType<typeof readServerConfig>>;

/**
 * Reads the file, and the files with credentials that backends name; one that can't be read is an
 * issue. `sim`: whether the simulated backend is allowed.
 */
export function serverConfigWithFiles(
  readFile: ReadTextFile,
  { sim }: { readonly sim: boolean },
): z.ZodType<ServerConfig> {
  return readServerConfig(sim).transform((config, ctx): ServerConfig => {
    const projects = config.projects.map((one, projectIndex) => ({
      ...one,
      backends:
        one.backends?.map((entry, index) => {
          if (isSimBackend(entry)) return entry;
          const { backend, problems } = fillBackendSecrets(entry, readFile);
          const place = ['projects', projectIndex, 'backends', index];
          for (const { path, problem } of problems)
            reportIssue(ctx, config, problem, [...place, ...path]);
          return backend;
        }) ?? null,
    }));
    return { ...config, projects };
  });
}
