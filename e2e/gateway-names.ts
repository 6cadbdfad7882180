/** The names and certificates of services at a gateway, as parts of its test. */
import { rmSync, writeFileSync } from 'node:fs';
import { expect, vi } from 'vitest';
import type { GatewayWorld } from './gateway-world.ts';
import { configuration } from './installation.ts';

/** The request as the app received it, which is the answer of the app. */
interface Described {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Also the service's, once DNS shows that it belongs to the project. */
export async function customHostName(world: GatewayWorld, ca: string): Promise<void> {
  const own = 'chat.customer.test';
  const yaml = world.serviceYaml('safe', `hosts: [${own}]\n`);
  const args = ['apply', '-f', configuration(world.home, 'safe.yml', yaml), '-y', '-d'];
  const refused = await world.home.dstack(args);
  const [, name = '', value = ''] =
    /Create this record, then try again: (\S+) TXT "(\S+)"/.exec(refused.stderr) ?? [];
  expect([refused.code, name]).toEqual([1, `_dstack.${own}`]);
  await world.authority?.setTxt(name, value);
  await world.home.ok(...args);
  await world.until(own, 200, { ca });
  expect((await world.ask(own, '/')).headers.location).toBe(`https://${own}:${world.ports.https}/`);
  expect((await world.ask('safe.apps.test', '/', { ca })).status).toBe(200);
  const { serial } = await world.ask(own, '/', { ca });
  expect(serial).not.toBe((await world.ask('safe.apps.test', '/', { ca })).serial);
  await sharedName(world, own, { ca, serial });
  await world.applyService('safe');
  await vi.waitFor(async () => await expect(world.ask(own, '/', { ca })).rejects.toThrow(), {
    ...{ timeout: 90_000, interval: 200 },
  });
}

/** Another service has a path of it, with the certificate and the proof of the name. */
async function sharedName(
  world: GatewayWorld,
  own: string,
  { ca, serial }: { readonly ca: string; readonly serial: string },
): Promise<void> {
  const hosts = `hosts: [${own}/deep/embed, ${own}/other]\n`;
  await world.applyService('embed', `${hosts}auth: false\n`);
  const open = { ca, authorization: '' };
  await world.untilAnswer(own, '/deep/embed/', open);
  const seen = async (path: string) => {
    const answer = await world.ask(own, path, open);
    expect([answer.status, answer.serial]).toEqual([200, serial]);
    const { url, headers } = JSON.parse(answer.body) as Described;
    return [url, headers['x-forwarded-prefix']];
  };
  expect(await seen('/deep/embed/a%2Fb//c?d=/../')).toEqual(['/a%2Fb//c?d=/../', '/deep/embed']);
  expect(await seen('/de%65p/embed/deep/embed')).toEqual(['/deep/embed', '/deep/embed']);
  expect(await world.ask(own, '/other?x', open)).toMatchObject({
    ...{ status: 308, headers: { location: '/other/?x' } },
  });
  // These lead to the other service, which needs a token.
  for (const path of ['/', '/deep', '/deep/embeds', '/deep/embed%2fx', '//other/', '/Other/']) {
    expect((await world.ask(own, path, open)).status).toBe(403);
  }
  for (const path of ['/deep/embed/../x', '/other/%2e%2E/x', '/x/./other']) {
    expect((await world.ask(own, path, open)).status).toBe(400);
  }
  // A copy reaches the other service, whose next probes then fail; the client gets one answer.
  await world.applyService('embed', `${hosts}auth: false\nmirror: {service: safe}\n`);
  await vi.waitFor(
    async () => {
      expect((await world.ask(own, '/other/sick', open)).status).toBe(200);
      expect((await world.ask(own, '/well', { ca })).status).toBe(500);
    },
    { timeout: 20_000, interval: 100 },
  );
  await world.applyService('embed', `${hosts}auth: false\nstrip_prefix: false\n`);
  await vi.waitFor(async () => expect(await seen('/other?x')).toEqual(['/other?x', undefined]), {
    ...{ timeout: 20_000, interval: 100 },
  });
  await world.home.ok('stop', 'embed', '-y');
  await vi.waitFor(async () => expect((await world.ask(own, '/other/', open)).status).toBe(403), {
    ...{ timeout: 20_000, interval: 100 },
  });
}

/** One that refuses the record of the domain, so that its certificate is not renewed in time. */
export async function failingHook(world: GatewayWorld, hook: string, ca: string): Promise<void> {
  const refuses = `${hook}-refuses-_acme-challenge.apps.test`;
  writeFileSync(refuses, '');
  const why = /dns-hook add _acme-challenge\.apps\.test: exit code 3: no such zone$/;
  await world.untilCertificate({ domain: 'safe.apps.test', message: expect.stringMatching(why) });
  const { serial } = await world.ask('safe.apps.test', '/', { ca });
  // Another name is not held up.
  const own = 'late.customer.test';
  const yaml = world.serviceYaml('second', `hosts: [${own}]\n`);
  const args = ['apply', '-f', configuration(world.home, 'second.yml', yaml), '-y', '-d'];
  const [, name = '', value = ''] =
    /try again: (\S+) TXT "(\S+)"/.exec((await world.home.dstack(args)).stderr) ?? [];
  await world.authority?.setTxt(name, value);
  await world.home.ok(...args);
  await world.until(own, 200, { ca });
  const events = () => world.home.ok('event', '--within-gateway', 'edge');
  const ends =
    /certificate for .*safe\.apps\.test.* ends at .*has not been renewed: .*no such zone/;
  await vi.waitFor(async () => expect(await events()).toMatch(ends), {
    ...{ timeout: 90_000, interval: 500 },
  });
  rmSync(refuses);
  await vi.waitFor(
    async () => expect(await events()).toMatch(/certificate for .*safe\.apps\.test.* renewed, and/),
    { timeout: 90_000, interval: 500 },
  );
  expect((await world.ask('safe.apps.test', '/', { ca })).serial).not.toBe(serial);
}
