import type { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { crypto as acmeCrypto } from 'acme-client';
import { expect, it, onTestFinished } from 'vitest';
import { createLog } from '../log.ts';
import { TlsChallenges } from './tls-challenges.ts';

it('shows an authority a proof of the name that it asks for, and no other', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'alpn-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'acme.sock');
  const challenges = new TlsChallenges({ path, group: null, log: createLog('test') });
  const ask = (servername: string) =>
    new Promise<X509Certificate | null>((resolve, reject) => {
      const socket = connect(path, () => socket.write('PROXY TCP4 1.2.3.4 5.6.7.8 1 443\r\n'));
      const tls = connectTls(
        { socket, servername, ALPNProtocols: ['acme-tls/1'], rejectUnauthorized: false },
        () => {
          expect(tls.alpnProtocol).toBe('acme-tls/1');
          resolve(tls.getPeerX509Certificate() ?? null);
          tls.destroy();
        },
      );
      tls.on('error', reject);
    });
  await challenges.show('web.apps.test', 'token.thumbprint');
  const shown = await ask('web.apps.test');
  expect(shown?.subjectAltName).toBe('DNS:web.apps.test');
  const pem = shown?.toString() ?? '';
  expect(acmeCrypto.isAlpnCertificateAuthorizationValid(pem, 'token.thumbprint')).toBe(true);
  await expect(ask('other.apps.test')).rejects.toThrow();
  challenges.hide('web.apps.test');
  await expect(ask('web.apps.test')).rejects.toThrow();
});
