import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GatewayPem, GatewaySettings } from '@dstack/contract/agent';
import { type Authorization, crypto } from 'acme-client';
import { expect, it, onTestFinished, vi } from 'vitest';
import { Certificates, type CertificatesOptions, renewalOf } from './certificates.ts';

const DAY = 86_400_000;

it('a certificate is renewed in its last third or a little earlier, at a whole millisecond', () => {
  const life = { from: 1_800_000_000_000, until: 1_800_000_000_000 + 90 * DAY };
  const times = Array.from({ length: 50 }, (_, index) => renewalOf(`run-${index}.test`, life));
  for (const at of times) {
    expect(Number.isInteger(at)).toBe(true);
    expect(at).toBeGreaterThan(life.from + 50 * DAY);
    expect(at).toBeLessThanOrEqual(life.from + 60 * DAY);
  }
  expect(new Set(times).size).toBeGreaterThan(40);
});

/** Signed by itself, and valid until now. */
async function pemFor(domain: string): Promise<GatewayPem> {
  const authorization = { identifier: { type: 'dns', value: domain } } as Authorization;
  const [key, certificate] = await crypto.createAlpnCertificate(authorization, 'text');
  return { domain, certificate: certificate.toString(), key: key.toString() };
}

it('a certificate that cannot be stored ends no gateway', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'certificates-'));
  const failed = Promise.withResolvers<unknown>();
  const certificates = new Certificates({
    ...{ stateDir: join(dir, 'state'), runtime: join(dir, 'run'), group: null },
    setRecord: async () => {},
    ...{ onChange: () => {}, onIssued: () => {} },
    log: { info: () => {}, warn: () => {}, error: failed.resolve } as never,
  });
  // Nothing answers at this authority.
  const acme = { challenge: 'dns-01', directory: 'http://127.0.0.1:9/' };
  const settings = { acme } as unknown as GatewaySettings;
  certificates.set(['a.apps.test'], settings, { files: [], offered: [], own: new Set() });
  rmSync(dir, { recursive: true });
  expect(await failed.promise).toMatchObject({ err: { code: 'ENOENT' } });
});

it('a certificate that another replica has is served, and offered to others, but no other name', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'certificates-'));
  try {
    const certificates = new Certificates({
      ...{ stateDir: join(dir, 'state'), runtime: join(dir, 'run'), group: null },
      setRecord: async () => {},
      ...{ onChange: () => {}, onIssued: () => {} },
      log: { info: () => {}, warn: () => {}, error: () => {} } as never,
    });
    const settings = { acme: { challenge: null } } as GatewaySettings;
    const pem = await pemFor('a.apps.test');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 });
    const foreign = { ...pem, domain: '../../b' };
    certificates.set(['a.apps.test'], settings, {
      files: [],
      offered: [foreign, pem],
      own: new Set(),
    });
    expect(certificates.issued).toEqual([pem]);
    expect(certificates.states).toMatchObject([{ domain: 'a.apps.test', state: 'valid' }]);
    const served = readFileSync(join(dir, 'run/certificates/a.apps.test.pem'), 'utf8');
    expect(served).toContain(pem.certificate.trim());
    // Until there is one for the other challenge.
    const byDns = { acme: { challenge: 'dns-01' } } as GatewaySettings;
    certificates.set(['a.apps.test'], byDns, { files: [], offered: [], own: new Set() });
    expect(certificates.states).toMatchObject([{ domain: 'a.apps.test', state: 'valid' }]);
    expect(certificates.issued).toEqual([]);
    // A name of users gets a certificate for it alone.
    const own = new Set(['a.apps.test']);
    certificates.set(['a.apps.test'], byDns, { files: [], offered: [], own });
    expect(certificates.issued).toEqual([pem]);
    certificates.set(['a.apps.test'], settings, { files: [], offered: [], own: new Set() });
    // The own one stays until another one is valid for longer.
    const later = { ...(await pemFor('a.apps.test')), certificate: pem.certificate };
    certificates.set(['a.apps.test'], settings, { files: [], offered: [later], own: new Set() });
    expect(certificates.issued).toEqual([pem]);
  } finally {
    vi.useRealTimers();
    rmSync(dir, { recursive: true });
  }
});

function withFolder(more: Pick<CertificatesOptions, 'request'> = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'certificates-'));
  onTestFinished(() => {
    vi.useRealTimers();
    rmSync(dir, { recursive: true });
  });
  const certificates = new Certificates({
    ...{ stateDir: join(dir, 'state'), runtime: join(dir, 'run'), group: null },
    setRecord: async () => {},
    ...{ onChange: () => {}, onIssued: () => {} },
    log: { info: () => {}, warn: () => {}, error: () => {} } as never,
    ...more,
  });
  return { dir, certificates };
}

/** Certificates whose authority takes connections and never answers. `asked`: how many it has taken. */
async function withSilentAuthority() {
  const { certificates } = withFolder();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on('error', () => {})));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const acme = { challenge: 'dns-01', directory: `https://127.0.0.1:${port}/`, ca: null };
  return {
    asked: () => sockets.size,
    states: () => certificates.states,
    set: (names: readonly string[], turn: number) => {
      const settings = { acme, turn } as unknown as GatewaySettings;
      certificates.set(names, settings, { files: [], offered: [], own: new Set(names) });
    },
  };
}

it('a certificate that takes long holds up no other one', async () => {
  const { asked, set } = await withSilentAuthority();
  set(['a.test', 'b.test', 'c.test', 'd.test', 'e.test'], 0);
  // Not all at once.
  await vi.waitFor(() => expect(asked()).toBe(4));
});

it('what has failed is requested again at once when a person wants it', async () => {
  const { certificates } = withFolder();
  const dns = { challenge: 'dns-01', directory: 'http://127.0.0.1:9/' };
  const settings = { acme: dns } as unknown as GatewaySettings;
  const given = { files: [], offered: [], own: new Set(['b.test']) };
  certificates.set(['a.apps.test', 'b.test'], settings, given);
  const retries = () => certificates.states.map(({ renews_at }) => (renews_at ?? 0) / 1000);
  const haveFailed = (after: number) =>
    vi.waitFor(() => expect(Math.min(...retries())).toBeGreaterThan(after));
  await haveFailed(0);
  const [first = 0] = retries();
  expect(certificates.retry('c.test')).toEqual([]);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5000 });
  // A retry for one host repeats the request for all names of its domain.
  expect(certificates.retry('a.apps.test')).toEqual(['*.apps.test']);
  await vi.waitFor(() => expect(retries()[0]).toBeGreaterThan(first + 4000));
  expect(certificates.retry(null).sort()).toEqual(['*.apps.test', 'b.test']);
});

it('a replica requests what another one was to request first, and has not', async () => {
  const { asked, states, set } = await withSilentAuthority();
  set(['a.test'], 1);
  const waits = { state: 'pending', message: 'another replica of the gateway is to request it' };
  expect(states()).toMatchObject([waits]);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 150_000 });
  set(['a.test'], 1);
  set(['a.test', 'b.test'], 0);
  await vi.waitFor(() => expect(asked()).toBe(2));
  set(['a.test', 'b.test', 'c.test'], 1);
  vi.setSystemTime(Date.now() + 200_000);
  set(['a.test', 'b.test', 'c.test'], 1);
  await vi.waitFor(() => expect(asked()).toBe(3));
});

function signed(dir: string, domain: string, days: number): GatewayPem {
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const names = ['-subj', '/CN=a.test', '-days', String(days), '-keyout', join(dir, 'key')];
  const certificate = execFileSync('openssl', [...made, ...names], { stdio: 'pipe' }).toString();
  return { domain, certificate, key: readFileSync(join(dir, 'key'), 'utf8') };
}

it('a certificate whose end is near is reported, with what to do if a person has set it', () => {
  const { dir, certificates } = withFolder();
  const pem = signed(dir, 'a.test', 100);
  const { validFrom, validTo } = new X509Certificate(pem.certificate);
  const [from, until] = [Date.parse(validFrom), Date.parse(validTo)];
  const settings = { acme: null } as unknown as GatewaySettings;
  certificates.set(['a.test'], settings, { files: [pem], offered: [], own: new Set() });
  const at = (part: number) => {
    vi.useFakeTimers({ toFake: ['Date'], now: from + (until - from) * part });
    return certificates.states[0];
  };
  expect(at(0.5)).toMatchObject({ state: 'valid', ends_soon: false, message: null });
  expect(at(0.9)).toMatchObject({
    ...{ state: 'valid', ends_soon: true },
    message: expect.stringMatching(/^Nothing renews it: set/),
  });
  expect(at(1.1)).toMatchObject({ state: 'expired', ends_soon: false });
});

it('one that has expired is not served in place of one that is valid and was requested in another way', () => {
  const { dir, certificates } = withFolder();
  const [old, wild] = [signed(dir, 'a.test', 1), signed(dir, '*.test', 100)];
  const served = () => readFileSync(join(dir, 'run/certificates/a.test.pem'), 'utf8');
  const set = (challenge: 'http-01' | 'dns-01', offered: readonly GatewayPem[]) => {
    const settings = { acme: { challenge }, turn: 99 } as unknown as GatewaySettings;
    certificates.set(['a.test'], settings, { files: [], offered, own: new Set() });
  };
  set('http-01', [old]);
  set('dns-01', [wild]);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * DAY });
  set('http-01', []);
  expect(served()).toContain(wild.certificate.trim());
  expect(certificates.states).toMatchObject([{ state: 'valid' }]);
  // It is better than none.
  vi.setSystemTime(Date.now() + 200 * DAY);
  set('http-01', []);
  expect(served()).toContain(old.certificate.trim());
  expect(certificates.states).toMatchObject([{ state: 'expired' }]);
});

it('a certificate is renewed with another key once the authority has refused it', async () => {
  const keys: (string | null)[] = [];
  const { dir, certificates } = withFolder({
    request: async (name, _options, key) => {
      keys.push(key);
      if (key !== null) throw new Error('invalid public key in CSR: public key is forbidden');
      return signed(dir, name, 100);
    },
  });
  const old = signed(dir, 'a.test', 1);
  const set = (offered: readonly GatewayPem[]) => {
    const settings = { acme: { challenge: 'dns-01' } } as unknown as GatewaySettings;
    certificates.set(['a.test'], settings, { files: [], offered, own: new Set(['a.test']) });
  };
  set([old]);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 0.9 * DAY });
  set([]);
  await vi.waitFor(() => expect(certificates.states[0]?.message).toMatch(/forbidden/));
  vi.setSystemTime(Date.now() + 60_000);
  set([]);
  await vi.waitFor(() => expect(certificates.states).toMatchObject([{ message: null }]));
  expect(keys).toEqual([old.key, null]);
  expect(certificates.issued[0]?.key).not.toBe(old.key);
});
