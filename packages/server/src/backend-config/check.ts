/**
 * Checks a backend's configuration before it is stored: only its form. Invalid credentials are
 * detected when the backend is used.
 *
 * - no credential is empty, keys are PEM, credentials files have the form of their provider
 * - keys that require or exclude each other (`backendProblems`, the same rules as in `config.yml`)
 * - files and programs of the server's machine only for those who own it
 * - `creds.type: default` only if the server may use the credentials of its own environment
 */
import { backendKind } from '@dstack/backends';
import { backendProblems } from '@dstack/contract';
import { ApiError, ruleError } from '@dstack/contract/api';
import type { BackendConfigWithCreds } from '@dstack/contract/wire';
import { credentialStrings } from './secrets.ts';

export interface CheckOptions {
  /** False: `DSTACK_DEFAULT_CREDS_DISABLED`. */
  readonly defaultCredentials: boolean;
  /** Whether the configuration may name files and programs of the server's machine: a global admin's. */
  readonly serverFiles: boolean;
}

type Path = readonly string[];

/** File names that are not needed once the contents are stored. */
const MAY_BE_EMPTY = new Set(['filename', 'path', 'key_file', 'private_key_file', 'pass_phrase']);

const PEM_BEGIN = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const PEM_END = /-----END [A-Z ]*PRIVATE KEY-----/;

/** Throws `ApiError`. */
export function checkBackendConfig(config: BackendConfigWithCreds, options: CheckOptions): void {
  for (const { path, problem } of backendProblems(config)) {
    throw ruleError(`${path.join('.')} ${problem.message}`);
  }
  if ('creds' in config && config.creds.type === 'default' && !options.defaultCredentials) {
    throw invalid([['creds']], 'this server does not allow default credentials: give a key');
  }
  if ('creds' in config && config.creds.type === 'default' && !options.serverFiles) {
    throw ruleError(
      'creds.type: default uses the identity of the server: give a key, or let a global admin add the backend',
    );
  }
  const empty = credentialStrings(config)
    .filter(({ path, text }) => text.trim() === '' && !MAY_BE_EMPTY.has(path.at(-1) ?? ''))
    .map(({ path }) => path);
  if (empty.length > 0) throw invalid(empty, `${names(empty)} must not be empty`);
  checkContents(config);
  // A broken rule, as in dstack 0.22.5: the credentials were not tried.
  const problem = backendKind(config.type)?.problem?.(config, options) ?? null;
  if (problem !== null) throw ruleError(problem);
}

type CheckContent = (text: string, path: Path) => void;

/** The contents that credentials fields must have, by the last two keys of their paths. */
const CONTENTS: Readonly<Record<string, CheckContent>> = {
  'creds.data': checkServiceAccount,
  'creds.key_content': checkKey,
  'creds.private_key_content': checkKey,
  'private_key.content': checkKey,
};

function checkContents(config: BackendConfigWithCreds): void {
  for (const { path, text } of credentialStrings(config)) {
    CONTENTS[path.slice(-2).join('.')]?.(text, path);
  }
}

function checkServiceAccount(text: string, path: Path): void {
  const file = parsedJson(text);
  const isComplete = typeof file?.client_email === 'string' && isPemKey(String(file.private_key));
  if (isComplete) return;
  throw invalid(
    [path],
    `${path.join('.')} must be the JSON of a service account key, with client_email and private_key`,
  );
}

function parsedJson(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? (value as Readonly<Record<string, unknown>>) : null;
  } catch {
    // The caller reports the expected form.
    return null;
  }
}

function checkKey(text: string, path: Path): void {
  if (isPemKey(text)) return;
  throw invalid([path], `${path.join('.')} must be a private key in PEM or OpenSSH format`);
}

/** One entry per field in the answer. */
export function invalid(fields: readonly Path[], why: string): ApiError {
  return new ApiError('invalid_credentials', `Invalid credentials: ${why}`, { fields });
}

export function names(paths: readonly Path[]): string {
  return paths.map((path) => path.join('.')).join(', ');
}

/** One pattern for both lines would search for the second one again after every first one. */
function isPemKey(text: string): boolean {
  const begin = PEM_BEGIN.exec(text);
  return begin !== null && PEM_END.test(text.slice(begin.index + begin[0].length));
}
