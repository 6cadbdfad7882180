import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Authorization, crypto } from 'acme-client';
import { expect, it, onTestFinished } from 'vitest';
import { CertificateFiles } from './certificate-files.ts';

const NAME = 'a.apps.test';

async function issued() {
  const authorization = { identifier: { type: 'dns', value: NAME } } as Authorization;
  const [key, certificate] = await crypto.createAlpnCertificate(authorization, 'text');
  return { key: key.toString(), certificate: certificate.toString() };
}

it('a key is kept for the next certificate if it fits the present one', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'certificate-files-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const files = new CertificateFiles({
    ...{ stateDir: join(dir, 'state'), runtime: join(dir, 'run'), group: null },
  });
  expect(files.keyOf(NAME)).toBeNull();
  const [first, second] = [await issued(), await issued()];
  files.store(NAME, first);
  expect(files.keyOf(NAME)).toBe(first.key);
  // The program was killed between both files, or the computer has lost the contents of one.
  for (const key of [second.key, '']) {
    writeFileSync(join(dir, 'state', 'certificates', `${NAME}.key`), key);
    expect(files.keyOf(NAME)).toBeNull();
  }
});
