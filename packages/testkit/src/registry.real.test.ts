import { createHash, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { layerOf, TestRegistry, type TestRegistryOptions } from './registry.ts';

let registry: TestRegistry;
afterEach(() => registry.close());

const start = async (options: TestRegistryOptions = {}) => {
  registry = await TestRegistry.start(options);
};
const get = (path: string, init: RequestInit = {}) => fetch(`http://${registry.host}${path}`, init);
const digestOf = (bytes: ArrayBuffer | Buffer) =>
  `sha256:${createHash('sha256')
    .update(Buffer.from(bytes as Buffer))
    .digest('hex')}`;

const small = layerOf('etc/name', Buffer.from('small'));
const image = { layers: [small], config: { Cmd: ['/bin/app'] } };

interface Manifest {
  readonly config: { readonly digest: string; readonly size: number };
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
}

describe('an open registry', () => {
  it('serves an image by its tag and by its digest, and its layers by theirs', async () => {
    await start();
    const digest = registry.add('team/app:v1', image);
    expect((await get('/v2/')).status).toBe(200);
    const byTag = await get('/v2/team/app/manifests/v1');
    expect(byTag.headers.get('content-type')).toContain('docker.distribution.manifest.v2+json');
    const bytes = Buffer.from(await byTag.arrayBuffer());
    expect(digestOf(bytes)).toBe(digest);
    const byDigest = await get(`/v2/team/app/manifests/${digest}`);
    expect(Buffer.from(await byDigest.arrayBuffer())).toEqual(bytes);

    const { config, layers } = JSON.parse(bytes.toString()) as Manifest;
    for (const part of [config, ...layers]) {
      const blob = Buffer.from(
        await (await get(`/v2/team/app/blobs/${part.digest}`)).arrayBuffer(),
      );
      expect([digestOf(blob), blob.length]).toEqual([part.digest, part.size]);
    }
    const answer = await get(`/v2/team/app/blobs/${config.digest}`);
    expect(await answer.json()).toMatchObject({ config: image.config, os: 'linux' });
  });

  it('returns the size of a blob without sending it', async () => {
    await start();
    registry.add('app:v1', image);
    const head = await get(`/v2/app/blobs/${digestOf(small)}`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect(head.headers.get('content-length')).toBe(String(small.length));
  });

  it('serves a list of platforms under the name of an image', async () => {
    await start();
    const digest = registry.add('app:v1', { ...image, listed: true });
    const answer = await get('/v2/app/manifests/v1');
    expect(answer.headers.get('content-type')).toContain('oci.image.index.v1+json');
    const { manifests } = (await answer.json()) as {
      manifests: { digest: string; platform: { architecture: string } }[];
    };
    const own = manifests.find(({ platform }) => platform.architecture === 'amd64');
    expect(own?.digest).not.toBe(digest);
    expect((await get(`/v2/app/manifests/${own?.digest}`)).status).toBe(200);
  });

  it.each([
    '/v2/app/manifests/v2',
    '/v2/nobody/manifests/v1',
    `/v2/app/blobs/sha256:${'1'.repeat(64)}`,
    '/v2/app/tags/list',
  ])('answers that it has no %s, with the error of a registry', async (path) => {
    await start();
    registry.add('app:v1', image);
    const answer = await get(path);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ errors: [{ code: 'MANIFEST_UNKNOWN' }] });
  });

  it('records the requests it received', async () => {
    await start();
    expect(registry.requests).toEqual([]);
    await get('/v2/');
    await get('/v2/app/manifests/v1', { method: 'HEAD' });
    expect(registry.requests).toEqual(['GET /v2/', 'HEAD /v2/app/manifests/v1']);
  });
});

describe('a registry with authentication', () => {
  const basic = (password: string) => `Basic ${Buffer.from(`user:${password}`).toString('base64')}`;
  const as = (authorization: string) => ({ headers: { authorization } });

  it('accepts a name and a password directly', async () => {
    await start({ access: 'basic' });
    const refused = await get('/v2/');
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      'Basic realm="test"',
    ]);
    expect((await get('/v2/', as(basic('wrong')))).status).toBe(401);
    expect((await get('/v2/', as(basic('secret')))).status).toBe(200);
  });

  it('issues a token for them, and accepts only the token', async () => {
    await start({ access: 'bearer' });
    const refused = await get('/v2/', as(basic('secret')));
    expect(refused.status).toBe(401);
    const [, realm = ''] =
      /realm="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? [];
    expect((await fetch(realm, as(basic('wrong')))).status).toBe(401);
    const { token } = (await (await fetch(realm, as(basic('secret')))).json()) as { token: string };
    expect((await get('/v2/', as(`Bearer ${token}`))).status).toBe(200);
  });
});

describe('a registry on hold', () => {
  it('stops in the middle of large layers until it is released, and sends small ones', async () => {
    await start();
    const large = layerOf('data', randomBytes(1_000_000));
    registry.add('app:v1', { layers: [small, large] });
    registry.hold(true);
    const part = await get(`/v2/app/blobs/${digestOf(small)}`);
    expect(digestOf(await part.arrayBuffer())).toBe(digestOf(small));
    const reader = (await get(`/v2/app/blobs/${digestOf(large)}`)).body?.getReader();
    const parts: Uint8Array[] = [];
    const received = () => parts.reduce((sum, { length }) => sum + length, 0);
    while (received() < large.length >> 1) {
      const { value } = (await reader?.read()) ?? {};
      if (value) parts.push(value);
    }
    expect(received()).toBe(large.length >> 1);
    registry.hold(false);
    for (let next = await reader?.read(); !next?.done; next = await reader?.read()) {
      if (next) parts.push(next.value);
    }
    expect(digestOf(Buffer.concat(parts))).toBe(digestOf(large));
  });
});
