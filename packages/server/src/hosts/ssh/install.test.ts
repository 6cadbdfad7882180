import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { keysFileIn } from './install.ts';

it.each([
  ["exec '/opt/node' '--authorized-keys' '/home/dev/.ssh/authorized_keys' '--environment' '/e'"],
  ['exec /opt/node --authorized-keys /home/dev/.ssh/authorized_keys --environment /e'],
  ["exec /opt/node --authorized-keys '/home/my dev/.ssh/authorized_keys' --environment /e"],
])('the file of keys is found in the launcher %j', (line) => {
  const dir = mkdtempSync(join(tmpdir(), 'launcher-'));
  try {
    const launcher = join(dir, 'agent.sh');
    writeFileSync(launcher, `#!/bin/sh\numask 027\n${line}\n`);
    const home = line.includes('my dev') ? '/home/my dev' : '/home/dev';
    const printed = execFileSync('sh', ['-c', keysFileIn(launcher)], { encoding: 'utf8' });
    expect(printed).toBe(`${home}/.ssh/authorized_keys\n`);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
