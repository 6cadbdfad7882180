import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { errorMessage } from '@dstack/contract/error-message';
import { ConfigFile } from '../../config/config-file.ts';
import type { Cli } from '../../context.ts';
import { sshProgram } from '../../ssh/ssh-client.ts';
import { productVersion } from '../../version.ts';
import type { DoctorCheck } from './doctor-check.ts';

const run = promisify(execFile);
const PROGRAM_MS = 5000;

/** The checks that need no server: configuration, programs, ports. */
export async function* localChecks(cli: Cli): AsyncGenerator<DoctorCheck, void> {
  const version = await productVersion();
  const text = `dstack ${version}, Node ${process.versions.node}`;
  yield { name: 'version', state: 'ok', text, fix: null };
  yield await configCheck(cli);
  yield await programCheck('ssh', sshProgram(cli), ['-V'], {
    state: 'warning',
    text: 'OpenSSH is not installed: attach does not forward ports',
    fix: 'install the OpenSSH client; dstack exec, cp and port-forward work without it',
  });
  yield await programCheck('git', 'git', ['--version'], {
    state: 'warning',
    text: 'git is not installed: `repos` in configurations do not work',
    fix: 'install git',
  });
  yield await dockerCheck(cli);
  yield await portCheck();
}

async function configCheck({ home, env }: Cli): Promise<DoctorCheck> {
  const name = 'config';
  if (env.DSTACK_SERVER_URL && env.DSTACK_TOKEN) {
    const text = 'DSTACK_SERVER_URL and DSTACK_TOKEN are set; no file is used';
    return { name, state: 'ok', text, fix: null };
  }
  const config = await ConfigFile.load(home);
  const path = join(home, '.dstack', 'config.yml');
  const info = await stat(path).catch(() => null);
  if (info === null || config.projects.length === 0) {
    const fix =
      'dstack login --url URL, or dstack project add (or start a server here: dstack server)';
    return { name, state: 'failed', text: `${path} has no projects`, fix };
  }
  if (process.platform !== 'win32' && (info.mode & 0o077) !== 0) {
    const text = `other users of this computer can read the tokens in ${path}`;
    return { name, state: 'warning', text, fix: `chmod 600 ${path}` };
  }
  const text = `${path}: ${config.projects.map((one) => one.name).join(', ')}`;
  return { name, state: 'ok', text, fix: null };
}

async function programCheck(
  name: string,
  program: string,
  args: readonly string[],
  missing: Omit<DoctorCheck, 'name'>,
): Promise<DoctorCheck> {
  try {
    const { stdout, stderr } = await run(program, [...args], { timeout: PROGRAM_MS });
    const [text = ''] = (stdout || stderr).trim().split('\n');
    return { name, state: 'ok', text, fix: null };
  } catch {
    return { name, ...missing };
  }
}

/** Docker is needed only where the server's machine runs jobs in containers. */
async function dockerCheck({ env }: Cli): Promise<DoctorCheck> {
  const name = 'docker';
  const address = env.DOCKER_HOST || '/var/run/docker.sock';
  const socketPath = address.replace(/^unix:\/\//, '');
  if (!socketPath.startsWith('/')) {
    return { name, state: 'ok', text: `Docker at ${address}, which was not asked`, fix: null };
  }
  if (!existsSync(socketPath)) {
    const text = 'no Docker here: a server on this computer runs jobs as plain processes';
    return { name, state: 'ok', text, fix: null };
  }
  const problem = await dockerProblem(socketPath);
  if (problem === null) return { name, state: 'ok', text: `Docker at ${address}`, fix: null };
  const text = `Docker at ${address} ${problem}`;
  const fix =
    'start Docker again (systemctl restart docker), or see its log (journalctl -u docker)';
  return { name, state: 'warning', text, fix };
}

/** Null: it answers, or only others may ask it. */
function dockerProblem(socketPath: string): Promise<string | null> {
  return new Promise((resolve) => {
    const asked = get({ socketPath, path: '/_ping', signal: AbortSignal.timeout(PROGRAM_MS) });
    asked.once('response', ({ statusCode = 0 }) => {
      resolve(statusCode < 500 ? null : `answers with status ${statusCode}`);
      asked.destroy();
    });
    asked.on('error', (error: NodeJS.ErrnoException) => resolve(problemOf(error)));
    // An answer that offers another protocol is neither a response nor an error.
    asked.once('close', () => resolve('does not answer as Docker does'));
  });
}

function problemOf(error: NodeJS.ErrnoException): string | null {
  if (error.code === 'EACCES') return null;
  return error.code === 'ABORT_ERR'
    ? `does not answer within ${PROGRAM_MS / 1000} s`
    : `does not answer (${errorMessage(error)})`;
}

function portCheck(): Promise<DoctorCheck> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) =>
      resolve({
        name: 'ports',
        state: 'failed',
        text: `no local port can be opened: ${error.message}`,
        fix: 'allow this program to listen on 127.0.0.1',
      }),
    );
    server.listen({ port: 0, host: '127.0.0.1' }, () =>
      server.close(() =>
        resolve({ name: 'ports', state: 'ok', text: 'local ports can be forwarded', fix: null }),
      ),
    );
  });
}
