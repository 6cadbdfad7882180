/**
 * Agent programs of this product as the machines of a simulated provider: on the server host, each
 * with a separate state folder. They outlive the server, which finds them by their sockets.
 *
 * With the process executor, and started by root, each lives in separate PID and mount namespaces,
 * so that every process of a machine ends with it. It has no network namespace: clients and the
 * server host reach the SSH servers of jobs on the loopback of the agent, and jobs would need a
 * bridge and address translation that a killed server would leave behind. The testkit makes hosts
 * with such a network, with sshd and Docker.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { SimAddress, SimAgents } from '../provider.ts';
import type { SimMachine } from '../tables.ts';
import { removeContainers } from './containers.ts';
import { killProcesses } from './processes.ts';

export interface RealAgentsOptions {
  /** The folder of the provider. */
  readonly dir: string;
  /** Node, and the agent's program. */
  readonly node: string;
  readonly program: string;
  readonly executor: 'docker' | 'process';
  readonly serverId: string;
  /**
   * Creates the folder for the socket of a state folder; its path is short enough for the kernel.
   */
  readonly socketFolder: (stateDir: string) => string;
}

/** The program and the state folder need a machine of this size. */
export const MAX_REAL_AGENTS = 20;

/** Restarts the agent when it ends, like an init, unless another one runs (exit code 4). */
const RESTART = 'while :; do "$@"; [ $? -eq 4 ] && exit; sleep 0.2; done';

export function realAgents(options: RealAgentsOptions): SimAgents {
  const stateDirOf = ({ id }: SimMachine) => join(options.dir, 'agents', id);
  return {
    async start(machine): Promise<SimAddress> {
      const stateDir = stateDirOf(machine);
      mkdirSync(stateDir, { recursive: true, mode: 0o700 });
      const token = tokenIn(stateDir);
      const socket = join(options.socketFolder(stateDir), 'agent.sock');
      if (!(await answers(socket))) launch(options, stateDir, socket);
      return {
        hostname: '127.0.0.1',
        internalIp: loopbackOf(machine.id),
        access: { kind: 'socket', path: socket, token },
      };
    },
    async stop(machine) {
      const stateDir = stateDirOf(machine);
      await killProcesses(stateDir);
      if (options.executor === 'docker') await removeContainers(stateDir);
      rmSync(options.socketFolder(stateDir), { recursive: true, force: true });
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** Returns without waiting for the agent. A second launch ends at the lock of the first. */
function launch(options: RealAgentsOptions, stateDir: string, socket: string): void {
  const { node, program, executor, serverId } = options;
  const agent = [
    ...[node, program, '--state', stateDir, '--socket', socket],
    ...['--executor', executor, '--server-id', serverId],
  ];
  const apart =
    executor === 'process' && hasNamespaces()
      ? ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']
      : [];
  const lock = ['--nonblock', '--close', join(stateDir, 'machine.lock')];
  const log = openSync(join(stateDir, 'agent.log'), 'a', 0o600);
  try {
    const args = [...lock, ...apart, '/bin/sh', '-c', RESTART, 'agent', ...agent];
    const env = withoutOurs(process.env);
    const child = spawn('flock', args, { env, detached: true, stdio: ['ignore', log, log] });
    // Without the agent nothing connects, and the server reports that.
    child.on('error', () => {});
    child.unref();
  } finally {
    closeSync(log);
  }
}

let namespaces: boolean | null = null;

function hasNamespaces(): boolean {
  namespaces ??=
    process.getuid?.() === 0 &&
    spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0;
  return namespaces;
}

/** The agent must not receive the server's settings, keys and database password. */
function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = (name: string) => name.startsWith('DSTACK_') && name !== 'DSTACK_AGENT_NODE';
  return Object.fromEntries(Object.entries(env).filter(([name]) => !own(name)));
}

function tokenIn(stateDir: string): string {
  const path = join(stateDir, 'token');
  try {
    writeFileSync(path, randomBytes(32).toString('hex'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return readFileSync(path, 'utf8');
}

/** A separate loopback address for each machine, so that nodes of a task differ. */
function loopbackOf(id: string): string {
  const [a = 0, b = 0, c = 0] = createHash('sha256').update(id).digest();
  return `127.${1 + (a % 254)}.${b}.${1 + (c % 254)}`;
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.on('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
}
