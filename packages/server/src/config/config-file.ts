import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import { type ConfigurationWarning, parseConfiguration, type ServerConfig } from '@dstack/contract';
import { errorMessage } from '@dstack/contract/error-message';
import { parseDocument } from 'yaml';
import { serverConfigPath } from '../process/server-folders.ts';
import { StartError } from '../process/start-error.ts';
import { type EncryptionKey, generateKey } from './cipher.ts';

/**
 * Reads the server's `config.yml`, and creates it on the first start. With `makeKey` a file without
 * encryption keys gets a generated one, so that no secret is stored as plain text. `sim`: it may
 * name simulated backends. `warnings`: values that YAML reads differently from how they look. Throws
 * `StartError` with the line and key if the file is not valid.
 */
export async function loadServerConfig(
  dir: string,
  { makeKey, sim = false }: { readonly makeKey: boolean; readonly sim?: boolean },
): Promise<{ config: ServerConfig; created: boolean; warnings: string[] }> {
  const path = serverConfigPath(dir);
  const created = !existsSync(path);
  const text = created ? 'projects:\n- name: main\n' : await readText(path);
  const { value: config, warnings } = parse(text, path, sim);
  refusePlugins(config, path);
  if (config.encryption?.keys && config.encryption.keys.length > 0) {
    return { config, created, warnings };
  }
  if (!makeKey) {
    if (created) await writePrivate(path, text);
    return { config, created, warnings };
  }
  const key = { type: 'aes', name: 'generated', secret: generateKey() } as const;
  await writePrivate(path, withKey(text, key));
  return { config: { ...config, encryption: { keys: [key] } }, created, warnings };
}

/**
 * Plugins change and refuse what is applied. Without them the server would accept what they forbid.
 */
function refusePlugins({ plugins }: ServerConfig, path: string): void {
  if (!plugins || plugins.length === 0) return;
  throw new StartError(
    `${path}: \`plugins\` (${plugins.join(', ')}) are not supported, so nothing would enforce their policies`,
    { next: 'remove the key `plugins` to run without them, and start again' },
  );
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new StartError(`${path} cannot be read: ${errorMessage(error)}`, {
      next: `make it readable for this user, or move it away`,
      cause: error,
    });
  }
}

function parse(
  text: string,
  path: string,
  sim: boolean,
): { value: ServerConfig; warnings: string[] } {
  const answer = parseConfiguration(text, 'server-config', { readFile: readNamedFile, sim });
  if (answer.ok) {
    const warnings = answer.warnings.map((finding) => withPlace(path, finding));
    return { value: answer.value, warnings };
  }
  const lines = answer.errors.map((problem) => {
    const hint = problem.suggestion ? ` (did you mean '${problem.suggestion}'?)` : '';
    return withPlace(path, problem) + hint;
  });
  throw new StartError(lines.join('\n'), { next: 'correct the file and start again' });
}

function withPlace(file: string, { path, line, column, message }: ConfigurationWarning): string {
  return `${file}:${line}:${column}: ${path === '' ? 'the file' : path} ${message}`;
}

/** Credentials files that the configuration refers to; `~` is the home of the server's user. */
function readNamedFile(path: string): string | undefined {
  try {
    return readFileSync(path.replace(/^~(?=\/|$)/, homedir()), 'utf8');
  } catch {
    // The parser reports the key whose file is missing.
    return undefined;
  }
}

/** Comments and order of the file stay unchanged. */
function withKey(text: string, key: EncryptionKey): string {
  const document = parseDocument(text);
  document.setIn(['encryption', 'keys'], document.createNode([key]));
  return document.toString();
}

async function writePrivate(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(`${path}.tmp`, text, { mode: 0o600 });
  await rename(`${path}.tmp`, path);
}
