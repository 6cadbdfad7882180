/** Pebble, an authority of certificates for tests: Debian's, and the current one from its Go module. */
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as secureRequest } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { jobNode } from './job-programs.ts';

const run = promisify(execFile);
const BUILDER = resolve(import.meta.dirname, '..', 'pebble', 'build-pebble.sh');
const BUILD_MS = 10 * 60_000;

const MAC_KEY = Buffer.from('a key of 32 bytes for the tests!').toString('base64url');
/** Certificates are renewed after about 38 seconds. The rest is for a busy computer: clients refuse one that has ended. */
const VALID_SECONDS = 60;

export type PebbleKind = 'current' | "Debian's";

const hasDebians = existsSync('/usr/bin/pebble') && existsSync('/usr/bin/pebble-challtestsrv');
const hasGo = spawnSync('go', ['version']).status === 0;

/** Those that this computer has or can build, the current one first. */
export const pebbleKinds: readonly PebbleKind[] = [
  ...(hasGo ? (['current'] as const) : []),
  ...(hasDebians ? (["Debian's"] as const) : []),
];
export const hasPebble = pebbleKinds.length > 0;

/** The folder of the programs; the current ones are built first if they were not built before. */
async function programsOf(kind: PebbleKind): Promise<string> {
  if (kind === "Debian's") return '/usr/bin';
  return (await run(BUILDER, [], { timeout: BUILD_MS })).stdout.trim();
}

export type Authority = Awaited<ReturnType<typeof startAuthority>>;

interface Reached {
  /** Where gateways reach it. */
  readonly host: string;
  readonly validSeconds: number;
  /** Without it: the first of `pebbleKinds`. */
  readonly kind?: PebbleKind;
}

/** Pebble, an authority for tests, which looks names up at a DNS server of its own. */
export async function startAuthority(
  ports: { http: number; https: number; acme: number; dns: number },
  { host, validSeconds, kind = pebbleKinds[0] }: Reached = {
    host: '127.0.0.1',
    validSeconds: VALID_SECONDS,
  },
) {
  if (kind === undefined) throw new Error('neither the go command nor pebble is installed');
  const programs = await programsOf(kind);
  const dir = mkdtempSync(join(tmpdir(), 'dstack-authority-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const ca = ['-subj', '/CN=tests', '-addext', 'basicConstraints=critical,CA:TRUE'];
  const fresh = ['-newkey', 'rsa:2048', '-nodes'];
  openssl('req', '-x509', ...fresh, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', ...ca);
  openssl('req', ...fresh, '-keyout', 'own.key', '-out', 'own.csr', '-subj', '/CN=localhost');
  writeFileSync(join(dir, 'names'), `subjectAltName=DNS:localhost,IP:${host}`);
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names'];
  openssl('x509', '-req', '-in', 'own.csr', ...signed, '-days', '2', '-out', 'own.pem');
  const [management, control] = [await freePort(), await freePort()];
  const pebble = {
    listenAddress: `${host}:${ports.acme}`,
    managementListenAddress: `127.0.0.1:${management}`,
    ...{ certificate: join(dir, 'own.pem'), privateKey: join(dir, 'own.key') },
    ...{ httpPort: ports.http, tlsPort: ports.https, externalAccountBindingRequired: true },
    externalAccountMACKeys: { tests: MAC_KEY },
    // The first is Debian's key, the second that of current versions.
    certificateValidityPeriod: validSeconds,
    profiles: { default: { description: 'short', validityPeriod: validSeconds } },
  };
  writeFileSync(join(dir, 'pebble.json'), JSON.stringify({ pebble }));
  const dns = `${host}:${ports.dns}`;
  const off = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', ''];
  const names = kind === 'current' ? ['-doh', '', '-dnsserver', dns] : ['-dns01', dns];
  const own = [...names, '-management', `127.0.0.1:${control}`, '-defaultIPv4', '127.0.0.1'];
  const children = [
    spawn(join(programs, 'pebble-challtestsrv'), [...own, ...off], { stdio: 'ignore' }),
    spawn(
      join(programs, 'pebble'),
      ['-strict', '-config', join(dir, 'pebble.json'), '-dnsserver', dns],
      {
        ...{ stdio: 'ignore', env: { ...process.env, PEBBLE_VA_NOSLEEP: '1' } },
      },
    ),
  ];
  const post = (path: string, body: object) =>
    fetch(`http://127.0.0.1:${control}/${path}`, { method: 'POST', body: JSON.stringify(body) });
  const stop = async () => {
    for (const child of children) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
    rmSync(dir, { recursive: true });
  };
  const isReady = async () =>
    (await post('set-default-ipv4', { ip: '127.0.0.1' })).ok && (await accepts(host, ports.acme));
  while (!(await isReady().catch(() => false))) {
    if (children.some(({ exitCode }) => exitCode !== null)) {
      await stop();
      throw new Error(`${kind} Pebble has ended right after its start`);
    }
    await delay(50);
  }
  const sign = (name: string) => {
    openssl('req', ...fresh, '-keyout', 'set.key', '-out', 'set.csr', '-subj', '/CN=set');
    writeFileSync(join(dir, 'set.names'), `subjectAltName=DNS:${name}`);
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'set.names'];
    openssl('x509', '-req', '-in', 'set.csr', ...by, '-days', '2', '-out', 'set.pem');
    return {
      ca: join(dir, 'ca.pem'),
      certificate: join(dir, 'set.pem'),
      key: join(dir, 'set.key'),
    };
  };
  return {
    ca: join(dir, 'ca.pem'),
    account: { DSTACK_ACME_EAB_KID: 'tests', DSTACK_ACME_EAB_HMAC_KEY: MAC_KEY },
    /** A program that sets and removes TXT records, as an admin writes it for a provider of DNS. */
    dnsHook: (path: string) => {
      const url = JSON.stringify(`http://127.0.0.1:${control}/`);
      const lines = [
        `#!${jobNode()}`,
        "const fs = require('node:fs');",
        'const [, , action, name, value] = process.argv;',
        // While a file has its name, a record is refused.
        `if (fs.existsSync(${JSON.stringify(path)} + '-refuses-' + name)) {`,
        "  fs.writeSync(2, Buffer.alloc(100_000, 1) + '\\n\\u001b[31mno such zone\\u001b[0m\\n\\n');",
        '  process.exit(3);',
        '}',
        `const url = ${url} + (action === 'add' ? 'set-txt' : 'clear-txt');`,
        "fetch(url, { method: 'POST', body: JSON.stringify({ host: name + '.', value }) })",
        '  .then(({ ok }) => process.exit(ok ? 0 : 1));',
      ];
      writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o755 });
      return path;
    },
    /** A certificate for a name, by the authority of `ca`. */
    sign,
    /** Sets the IPv4 address that every name has by default; empty = none. */
    setAddress: (ip: string) => post('set-default-ipv4', { ip }),
    setTxt: (name: string, value: string) => post('set-txt', { host: `${name}.`, value }),
    /** Gives one name an IPv4 address. */
    setAddressOf: (host: string, ip: string) => post('add-a', { host, addresses: [ip] }),
    /** Gives one name an IPv6 address; null removes it. */
    setSecondAddress: (host: string, ip: string | null) =>
      ip === null ? post('clear-aaaa', { host }) : post('add-aaaa', { host, addresses: [ip] }),
    roots: () =>
      new Promise<string>((resolve, reject) => {
        const options = { ca: readFileSync(join(dir, 'ca.pem')), servername: 'localhost' };
        secureRequest(`https://127.0.0.1:${management}/roots/0`, options, (response) => {
          text(response).then(resolve, reject);
        })
          .on('error', reject)
          .end();
      }),
    stop,
  };
}

async function accepts(host: string, port: number): Promise<boolean> {
  const socket = connect(port, host);
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}
