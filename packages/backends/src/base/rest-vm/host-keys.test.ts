import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hostKeyOf } from './host-keys.ts';

it('are the same for the same order, others for another order or installation', () => {
  const one = hostKeyOf('secret', 'instance.create:a:0');
  expect(hostKeyOf('secret', 'instance.create:a:0')).toEqual(one);
  expect(hostKeyOf('secret', 'instance.create:b:0').blob).not.toBe(one.blob);
  expect(hostKeyOf('other', 'instance.create:a:0').blob).not.toBe(one.blob);
});

it('are read by OpenSSH, with the public half that belongs to them', () => {
  const dir = mkdtempSync(join(tmpdir(), 'host-keys-'));
  try {
    for (let number = 0; number < 5; number++) {
      const { privateKey, publicKey } = hostKeyOf('secret', `order-${number}`);
      const file = join(dir, `key-${number}`);
      writeFileSync(file, privateKey, { mode: 0o600 });
      expect(execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' }).trim()).toBe(
        publicKey,
      );
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});
