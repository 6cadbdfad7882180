import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('./host-config.ts', import.meta.url));

it.skipIf(process.getuid?.() !== 0)(
  'the hosts of a user id without a name are written with a full path',
  () => {
    const script = `
    const { withInclude } = await import(${JSON.stringify(PROGRAM)});
    process.setuid(1_234_567);
    process.stdout.write(withInclude('', '/home/x'));`;
    const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
    expect(ended.stderr.toString()).toBe('');
    expect(ended.stdout.toString()).toContain('/home/x/.dstack/ssh/config');
  },
);
