import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TestRegistry } from '@dstack/testkit/registry';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { Outgoing } from '../outgoing/outgoing.ts';
import { OutgoingRules } from '../outgoing/outgoing-rules.ts';
import { ImageConfigs } from './image-configs.ts';
import { parseImageReference } from './image-reference.ts';

const log = pino({ level: 'silent' });
const auth = { username: 'user', password: 'secret' };
const tool = {
  layers: [Buffer.alloc(1024)],
  config: { Entrypoint: ['/tool'], Cmd: ['--help'], User: 'app:grp' },
};

let registry: TestRegistry | null = null;
let outgoing: Outgoing | null = null;
afterEach(async () => {
  await outgoing?.close();
  await registry?.close();
  registry = null;
});

async function started(access: 'none' | 'basic' | 'bearer', allowed = ['loopback']) {
  registry = await TestRegistry.start({ access });
  const { host } = registry;
  let now = 0;
  outgoing = new Outgoing(new OutgoingRules(allowed));
  const configs = new ImageConfigs({ now: () => now, outgoing, log });
  const pass = (seconds: number) => {
    now += seconds * 1000;
  };
  return { registry, configs, pass, at: (name: string) => `${host}/${name}` };
}

describe('the configuration of an image in a registry', () => {
  it.each(['none', 'basic', 'bearer'] as const)('is read with access by %s', async (access) => {
    const { registry, configs, at } = await started(access);
    registry.add('team/tool:1', tool);
    expect(await configs.find(at('team/tool:1'), access === 'none' ? null : auth)).toEqual({
      entrypoint: ['/tool'],
      cmd: ['--help'],
      user: 'app:grp',
      architectures: ['x86'],
    });
    expect(registry.requests.some((line) => line.includes('layer'))).toBe(false);
  });

  it('is that of Linux if the name is a list of platforms', async () => {
    const { registry, configs, at } = await started('none');
    registry.add('tool:1', { ...tool, listed: true });
    expect(await configs.find(at('tool:1'), null)).toMatchObject({ user: 'app:grp' });
  });

  it('is found by digest, and is empty for an image without settings', async () => {
    const { registry, configs, at } = await started('none');
    const digest = registry.add('bare:1', { layers: tool.layers });
    expect(await configs.find(at(`bare@${digest}`), null)).toEqual({
      entrypoint: [],
      cmd: [],
      user: null,
      architectures: ['x86'],
    });
  });

  it('is unknown without credentials, with wrong ones, and for missing images', async () => {
    const { registry, configs, at } = await started('bearer');
    registry.add('tool:1', tool);
    expect(await configs.find(at('tool:1'), null)).toBeNull();
    expect(await configs.find(at('tool:1'), { ...auth, password: 'wrong' })).toBeNull();
    expect(await configs.find(at('none:1'), auth)).toBeNull();
    expect(await configs.find('No Name', auth)).toBeNull();
  });

  it('is not requested inside the network', async () => {
    const { registry, configs, at } = await started('none', []);
    registry.add('tool:1', tool);
    expect(await configs.find(at('tool:1'), null)).toBeNull();
    expect(registry.requests).toEqual([]);
  });

  it('is not requested if credentials would be sent elsewhere unencrypted', async () => {
    const { configs } = await started('none');
    let shown = 0;
    const elsewhere = createServer((_request, response) => {
      shown += 1;
      response.end('{}');
    });
    elsewhere.listen(0, '127.0.0.2');
    await once(elsewhere, 'listening');
    const { port } = elsewhere.address() as AddressInfo;
    const liar = createServer((_request, response) => {
      const challenge = `Bearer realm="http://127.0.0.2:${port}/token",service="x"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
    });
    liar.listen(0, '127.0.0.1');
    await once(liar, 'listening');
    const image = `127.0.0.1:${(liar.address() as AddressInfo).port}/tool:1`;
    expect([await configs.find(image, auth), shown]).toEqual([null, 0]);
    for (const server of [elsewhere, liar]) server.close();
  });

  it('is requested only once for a while, however many callers there are', async () => {
    const { registry, configs, at, pass } = await started('none');
    registry.add('tool:1', tool);
    await Promise.all([1, 2, 3].map(() => configs.find(at('tool:1'), null)));
    expect(registry.requests).toHaveLength(2);
    pass(81);
    await configs.find(at('tool:1'), null);
    expect(registry.requests).toHaveLength(4);
  });

  it('is unknown if no registry answers, which is then not contacted for a while', async () => {
    const { configs, at, pass } = await started('none');
    await registry?.close();
    registry = null;
    expect(await configs.find(at('tool:1'), null)).toBeNull();
    pass(40);
    expect(await configs.find(at('other:1'), null)).toBeNull();
  });
});

describe('the name of an image', () => {
  it.each([
    ['ubuntu', 'https://registry-1.docker.io', 'library/ubuntu', 'latest'],
    ['docker.io/ubuntu:24.04', 'https://registry-1.docker.io', 'library/ubuntu', '24.04'],
    ['team/tool:1.0-a', 'https://registry-1.docker.io', 'team/tool', '1.0-a'],
    ['ghcr.io/a/b/c', 'https://ghcr.io', 'a/b/c', 'latest'],
    ['localhost:5000/tool:1', 'http://localhost:5000', 'tool', '1'],
    [`nvcr.io/x:1@sha256:${'a'.repeat(64)}`, 'https://nvcr.io', 'x', `sha256:${'a'.repeat(64)}`],
  ])('%s is parsed as Docker does', (image, origin, name, reference) =>
    expect(parseImageReference(image)).toEqual({ origin, name, reference }),
  );

  it.each(['', 'UPPER/case', 'a b', '../x', 'x:'])('%s is invalid', (image) =>
    expect(parseImageReference(image)).toBeNull(),
  );
});
