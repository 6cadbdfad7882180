import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
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
  return localAgent({ stateDir, node, program, executor, serverId: 's', shared: false });
}

it('says at once why an agent has ended instead of starting', async () => {
  const program = join(dir, 'agent.mjs');
  writeFileSync(program, 'console.error("no such luck"); process.exit(3);');
  const failure = agentOf(process.execPath, program).ensureRunning();
  await expect(failure).rejects.toThrow(/ended with code 3; see .*agent\.log/);
  expect(readFileSync(join(dir, 'agent', 'agent.log'), 'utf8')).toContain('no such luck');
});

it('survives that Node itself is gone, as while the program is being replaced', async () => {
  const failure = agentOf(join(dir, 'no-node'), 'agent.mjs').ensureRunning();
  await expect(failure).rejects.toThrow(/ENOENT/);
});
