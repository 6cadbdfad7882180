import * as z from 'zod';
import { Problem, quote } from '../grammar/problem.ts';
import { BackendFileConfig } from './backend-files.ts';
import { backendProblems } from './backend-rules.ts';
import { fillBackendSecrets, type ReadTextFile } from './backend-secrets.ts';
import { reportIssue } from './issue.ts';
import { bool, optional, readString, string } from './scalars.ts';
import { choice, closed, named, type Reader, reader, tagged } from './schema-kit.ts';

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

const Backends = z.array(BackendFileConfig).superRefine((backends, ctx) => {
  for (const [index, backend] of backends.entries()) {
    for (const { path, problem } of backendProblems(backend)) {
      reportIssue(ctx, backends, problem, [index, ...path]);
    }
  }
});

export const ProjectConfig = named(
  'ProjectConfig',
  closed({ name: string(), backends: optional(Backends) }),
);
export type ProjectConfig = z.infer<typeof ProjectConfig>;

/** `~/.dstack/server/config.yml`. */
export const ServerConfig = named(
  'ServerConfig',
  closed({
    projects: z.array(ProjectConfig),
    encryption: optional(EncryptionConfig),
    default_permissions: optional(DefaultPermissions),
    plugins: optional(z.array(string())),
  }),
);
export type ServerConfig = z.infer<typeof ServerConfig>;

/**
 * The same, with the contents of the files that backends refer to; an unreadable file is an issue.
 */
export function serverConfigWithFiles(readFile: ReadTextFile): z.ZodType<ServerConfig> {
  return ServerConfig.transform((config, ctx): ServerConfig => {
    const projects = config.projects.map((project, projectIndex) => ({
      ...project,
      backends:
        project.backends?.map((entry, index) => {
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
