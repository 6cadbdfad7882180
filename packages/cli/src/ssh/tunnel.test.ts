import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, it } from 'vitest';
import type { Cli } from '../context.ts';
import { openTunnel } from './tunnel.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tunnel-'));
  mkdirSync(join(home, '.dstack', 'ssh'), { recursive: true });
});
afterEach(() => rmSync(home, { recursive: true }));

/** Opens one by an ssh that starts another one for its jump host. */
function open(then: string) {
  const program = join(home, 'ssh');
  const jump = join(home, 'jump');
  writeFileSync(
    program,
    `#!/bin/sh\nsleep 1000 & echo $! > ${jump}\necho dstack-connected\n${then}\n`,
  );
  chmodSync(program, 0o755);
  const cli = { home, env: { ...process.env, DSTACK_SSH_CLIENT: program }, wait: async () => {} };
  const tunnel = openTunnel(
    {
      ...{ destination: 'run', identity: join(home, 'key'), bindAddress: 'localhost', ports: [] },
      ...{ tries: 1, signal: new AbortController().signal },
    },
    cli as unknown as Cli,
  );
  return { tunnel, jumpPid: () => Number(readFileSync(jump, 'utf8')) };
}

/** A zombie that waits for its parent has ended too. */
async function untilEnded(pid: number): Promise<void> {
  const status = `/proc/${pid}/status`;
  while (existsSync(status) && !/^State:\s+Z/m.test(readFileSync(status, 'utf8'))) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

it.each([
  ['is closed', 'wait'],
  ['is lost', 'exit 255'],
])('ends the ssh of a jump host, too, when it %s', async (how, then) => {
  const { tunnel, jumpPid } = open(then);
  const { lost, close } = await tunnel;
  if (how === 'is closed') await close();
  await lost;
  await untilEnded(jumpPid());
});
