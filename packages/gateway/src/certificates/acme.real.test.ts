/** Certificates from a real authority, by each version of it that this computer has. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@dstack/testkit';
import { hasPebble, pebbleKinds, startAuthority } from '@dstack/testkit/certificate-authority';
import { describe, expect, it, onTestFinished } from 'vitest';
import { requestCertificate } from './acme.ts';
import type { Challenges } from './challenges.ts';

if (process.env.CI && !hasPebble) {
  throw new Error('certificates cannot be tested: neither pebble nor the go command is installed');
}

describe.skipIf(!hasPebble)('a certificate from an authority', () => {
  it.each(pebbleKinds)('is issued by %s Pebble', async (kind) => {
    const ports = {
      ...{ http: await freePort(), https: await freePort() },
      ...{ acme: await freePort(), dns: await freePort() },
    };
    const reached = { host: '127.0.0.1', validSeconds: 86_400, kind };
    const authority = await startAuthority(ports, reached);
    onTestFinished(() => authority.stop());
    const stateDir = mkdtempSync(join(tmpdir(), 'dstack-acme-'));
    onTestFinished(() => rmSync(stateDir, { recursive: true }));
    const { DSTACK_ACME_EAB_KID, DSTACK_ACME_EAB_HMAC_KEY } = authority.account;
    const settings = {
      ...{ challenge: null, dns_wait: null, account_key: null },
      directory: `https://localhost:${ports.acme}/dir`,
      ...{ eab_kid: DSTACK_ACME_EAB_KID, eab_hmac_key: DSTACK_ACME_EAB_HMAC_KEY },
      ca: readFileSync(authority.ca, 'utf8'),
    };
    const challenges = await answering(ports.http);
    const options = { settings, stateDir, challenges };
    const issued = await requestCertificate('chat.apps.test', options, null);
    const certificate = new X509Certificate(issued.certificate);
    expect(certificate.subjectAltName).toBe('DNS:chat.apps.test');
    expect(certificate.checkPrivateKey(createPrivateKey(issued.key))).toBe(true);
    const renewed = await requestCertificate('chat.apps.test', options, issued.key);
    expect(renewed.key).toBe(issued.key);
    expect(renewed.certificate).not.toBe(issued.certificate);
  });
});

/** Answers the authority until the test ends. */
async function answering(port: number): Promise<Challenges> {
  const shown = new Map<string, string>();
  const server = createServer(({ url = '' }, response) => response.end(shown.get(url)));
  onTestFinished(() => void server.close());
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const pathOf = (token: string) => `/.well-known/acme-challenge/${token}`;
  return {
    type: 'http-01',
    show: async ({ token, content }) => void shown.set(pathOf(token), content),
    hide: async ({ token }) => void shown.delete(pathOf(token)),
  };
}
