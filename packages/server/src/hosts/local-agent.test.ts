import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type LocalAgent, localAgent } from './local-agent.ts';

let dir = '';
const before = process.env.XDG_RUNTIME_DIR;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'local-agent-'));
  process.env.XDG_RUNTIME_DIR = dir;
});
afterEach(() => {
  if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
  else process.env.XDG_RUNTIME_DIR = before;
  rmSync(dir, { recursive: true });
});

function agentOf(node: string, program: string): LocalAgent {
  const stateDir = join(dir, 'agent');
  const executor = 'process';
  return localAgent({
    stateDir,
    node,
    program,
    executor,
    serverId: 's',
    jobUsers: null,
    shared: false,
  });
}

it('reports at once why an agent has ended instead of starting', async () => {
  const program = join(dir, 'agent.mjs');
  writeFileSync(program, 'console.error("no such luck"); process.exit(3);');
  const failure = agentOf(process.execPath, program).ensureRunning();
  await expect(failure).rejects.toThrow(/ended with code 3; see .*agent\.log/);
  expect(readFileSync(join(dir, 'agent', 'agent.log'), 'utf8')).toContain('no such luck');
});

it('passes the agent its own settings, and none of the server', async () => {
  const program = join(dir, 'agent.mjs');
  writeFileSync(program, 'console.error(Object.keys(process.env).join(" ")); process.exit(3);');
  const given = { DSTACK_AGENT_HEALTH_SECONDS: '5', DSTACK_SERVER_ADMIN_TOKEN: 'secret' };
  for (const [name, value] of Object.entries(given)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  await expect(agentOf(process.execPath, program).ensureRunning()).rejects.toThrow();
  const names = readFileSync(join(dir, 'agent', 'agent.log'), 'utf8');
  expect(names).toContain('DSTACK_AGENT_HEALTH_SECONDS');
  expect(names).not.toContain('DSTACK_SERVER_ADMIN_TOKEN');
});

/** The outcome of a dial: the error of its socket, or null when it is open. */
async function dialled(agent: LocalAgent): Promise<Error | null> {
  const socket = agent.dial();
  const outcome = await Promise.race([once(socket, 'connect'), once(socket, 'error')]).catch(
    (error) => [error],
  );
  socket.destroy();
  return outcome[0] ?? null;
}

/** The socket folder of this test's agent with a state folder. */
function socketFolder(): string {
  const [name = ''] = readdirSync(dir).filter((each) => each.startsWith('dstack-'));
  return join(dir, name);
}

it('creates the folder of the socket again when an agent has removed it', async () => {
  const agent = agentOf(process.execPath, join(dir, 'agent.mjs'));
  const folder = socketFolder();
  rmdirSync(folder);
  await expect(agent.ensureRunning()).rejects.toThrow('ended with code 1');
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

it('leaves no empty folder of the socket, and the one of an agent that listens', async () => {
  const agent = agentOf(process.execPath, join(dir, 'agent.mjs'));
  const folder = socketFolder();
  const listening = createServer().listen(join(folder, 'agent.sock'));
  await once(listening, 'listening');
  agent.leave();
  expect(await dialled(agent)).toBeNull();
  await new Promise((closed) => listening.close(closed));
  agent.leave();
  expect(existsSync(folder)).toBe(false);
});

describe.runIf(process.getuid?.() === 0)('an existing folder of another user', () => {
  const other = createServer();
  afterEach(() => other.close());

  it('gets no agent and no token', async () => {
    const agent = agentOf(process.execPath, join(dir, 'agent.mjs'));
    const folder = socketFolder();
    other.listen(join(folder, 'agent.sock'));
    await once(other, 'listening');
    expect(await dialled(agent)).toBeNull();
    chownSync(folder, 65534, 65534);
    expect(String(await dialled(agent))).toContain('belongs to another user');
    await expect(agent.ensureRunning()).rejects.toThrow('belongs to another user');
  });
});

it('survives a missing Node binary, as while the program is being replaced', async () => {
  const failure = agentOf(join(dir, 'no-node'), 'agent.mjs').ensureRunning();
  await expect(failure).rejects.toThrow(/ENOENT/);
});
