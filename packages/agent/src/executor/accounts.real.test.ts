import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('./accounts.ts', import.meta.url));

it.skipIf(process.getuid?.() !== 0)('a user id without a name is an account too', () => {
  const script = `
    const { ownAccount } = await import(${JSON.stringify(PROGRAM)});
    process.setgid(1_234_568);
    process.setuid(1_234_567);
    console.log(JSON.stringify(ownAccount('/home')));`;
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
  expect(ended.stderr.toString()).toBe('');
  expect(JSON.parse(ended.stdout.toString())).toEqual({
    ...{ username: null, uid: 1_234_567, gid: 1_234_568 },
    ...{ home: '/home', shell: null },
  });
});
