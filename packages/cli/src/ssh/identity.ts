import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { errorMessage } from '@dstack/contract/error-message';
import { readIfThere } from '../config/config-file.ts';
import type { Cli, Connection } from '../context.ts';
import { CliError } from '../errors.ts';
import { makeFolders } from '../files/make-folders.ts';
import { orForbidden } from '../resource-error.ts';

const run = promisify(execFile);

/** Downloaded keys are used for this long before they are downloaded again. */
const KEY_MAX_AGE_MS = 10 * 60_000;

/** The public half of a private key file: from the `.pub` file beside it, else from ssh-keygen. */
export async function readPublicKey(
  identity: string,
  cli: Pick<Cli, 'cwd' | 'home'>,
): Promise<string> {
  const path = resolve(cli.cwd, identity.replace(/^~(?=\/)/, cli.home));
  const beside = await readIfThere(`${path}.pub`);
  if (beside !== null) return beside;
  try {
    // With an empty passphrase ssh-keygen does not prompt.
    const { stdout } = await run('ssh-keygen', ['-y', '-P', '', '-f', path]);
    return stdout;
  } catch (error) {
    throw new CliError(`Cannot read the SSH key ${identity}`, {
      why: String((error as { stderr?: string }).stderr || errorMessage(error)).trim(),
      next: 'pass an unencrypted private key',
      cause: error,
    });
  }
}

/** Key material of a private key file, as sent for fleets of SSH hosts. */
export async function readKeyPair(
  identity: string,
  cli: Pick<Cli, 'cwd' | 'home'>,
): Promise<{ public: string; private: string }> {
  const path = resolve(cli.cwd, identity.replace(/^~(?=\/)/, cli.home));
  const text = await readIfThere(path);
  if (text === null) {
    throw new CliError(`Cannot read the SSH key ${identity}`, {
      why: 'there is no such file',
      next: 'correct `identity_file` in the configuration',
    });
  }
  return { private: text, public: await readPublicKey(path, cli) };
}

/**
 * The absolute path of a private key that ssh accepts. Checked here because ssh explains little.
 */
export async function requireIdentity(
  identity: string,
  cli: Pick<Cli, 'cwd' | 'home'>,
): Promise<string> {
  const path = resolve(cli.cwd, identity.replace(/^~(?=\/)/, cli.home));
  const refuse = (why: string, next: string): CliError =>
    new CliError(`Cannot use the SSH key ${identity}`, { why, next });
  const info = await stat(path).catch(() => null);
  if (info === null) throw refuse('there is no such file', 'correct --ssh-identity');
  if (!info.isFile()) throw refuse('it is not a file', 'correct --ssh-identity');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw refuse(error.message, `make it readable: chmod u+r ${identity}`);
  });
  if (/^(ssh-|ecdsa-|sk-)\S+ AAAA/.test(text)) {
    throw refuse('it is the public half', `--ssh-identity ${identity.replace(/\.pub$/, '')}`);
  }
  // OpenSSH ignores its own user's keys if others can read them.
  if ((info.mode & 0o077) !== 0 && info.uid === process.getuid?.()) {
    throw refuse('other users of this computer can read it', `chmod 600 ${identity}`);
  }
  return path;
}

/** Writes a key to a private temporary file while `use` runs. */
export async function withTemporaryKey<T>(
  key: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'dstack-key-'));
  const path = join(directory, 'key');
  try {
    await writeFile(path, key.endsWith('\n') ? key : `${key}\n`, { mode: 0o600 });
    return await use(path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The path of the user's key pair of a server; shared with the official command line. */
export function userKeyPath(token: string, home: string): string {
  const name = createHash('sha1').update(token).digest('hex').slice(0, 8);
  return join(home, '.dstack', 'ssh', name);
}

/** The user has no key that opens the run. */
export class NoKeyError extends CliError {
  override readonly name = 'NoKeyError';
}

/** The path of the user's private key, downloaded if it is missing or old. */
async function ensureUserKey(connection: Connection, cli: Cli): Promise<string> {
  const path = userKeyPath(connection.address.token, cli.home);
  const age = await stat(path).then(
    (info) => cli.ownNow() - info.mtimeMs,
    () => Number.POSITIVE_INFINITY,
  );
  return age < KEY_MAX_AGE_MS ? path : await downloadUserKey(path, connection, cli);
}

async function downloadUserKey(path: string, connection: Connection, cli: Cli): Promise<string> {
  const user = await orForbidden(() => connection.client.users.getMyUser());
  if (user === null) {
    throw new NoKeyError('A token of a program has no SSH key', {
      why: 'such a token may not read keys of users',
      next: 'pass --ssh-identity FILE with the key that the run was submitted with',
    });
  }
  if (!user.ssh_private_key || !user.ssh_public_key) {
    throw new NoKeyError('Your user has no SSH key on the server', {
      next: 'pass --ssh-identity FILE to apply and attach',
    });
  }
  try {
    await makeFolders(join(cli.home, '.dstack', 'ssh'));
    await writeFile(path, user.ssh_private_key, { mode: 0o600 });
    await chmod(path, 0o600);
    await writeFile(`${path}.pub`, user.ssh_public_key);
  } catch (error) {
    throw new CliError('Cannot store your SSH key in ~/.dstack/ssh', {
      why: errorMessage(error),
      next: 'make the directory writable, or pass --ssh-identity FILE to apply and attach',
      cause: error,
    });
  }
  return path;
}

/** The key that the run accepts: the user's, if the run was submitted with it. */
export async function identityForRun(
  publicKey: string | null | undefined,
  connection: Connection,
  cli: Cli,
): Promise<string> {
  const path = await ensureUserKey(connection, cli);
  if (!publicKey) return path;
  if (await isKeyOf(path, publicKey)) return path;
  // The pair may have been replaced since it was downloaded, and the run may have been submitted
  // with the new one.
  await downloadUserKey(path, connection, cli);
  if (await isKeyOf(path, publicKey)) return path;
  const legacy = join(cli.home, '.dstack', 'ssh', 'id_rsa');
  if ((await readIfThere(legacy)) !== null) return legacy;
  throw new NoKeyError('The run was submitted with another SSH key', {
    why: 'your own key of this server is not the one of the run: another user submitted it, or it was submitted with --ssh-identity',
    next: 'pass --ssh-identity FILE with the key that was used',
  });
}

async function isKeyOf(path: string, publicKey: string): Promise<boolean> {
  const own = (await readIfThere(`${path}.pub`)) ?? '';
  return own.trim() === publicKey.trim();
}
