/** Whose request it is, for a server that only nginx connects to. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import type { Installation } from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { applyFleet, configuration, newInstallation } from './installation.ts';
import { until } from './until.ts';

const app = jobProgram(join(import.meta.dirname, 'service-app.ts'));
/** Addresses of this computer. */
const PROXY = '127.0.0.50';
const LIAR = '127.0.0.66';

let home: Installation;
beforeAll(async () => {
  home = newInstallation({
    ...{ DSTACK_SERVER_PROXY_WORKERS: '1', DSTACK_SERVER_PROXY: 'nginx' },
    DSTACK_SERVER_TRUSTED_PROXIES: PROXY,
    DSTACK_SERVER_FAILED_LOGINS_PER_MINUTE: '5',
    // Behind a proxy, others may reach this server: its machine runs jobs of named projects only.
    DSTACK_LOCAL_PROJECTS: 'main',
  });
  await home.startServer();
  await applyFleet(home, '0..1');
  const yaml = `type: service\nname: web\nport: 8000\nprobes: []\nresources: {gpu: 0}\ncommands: ['exec ${app}']\n`;
  await home.ok('apply', '-f', configuration(home, 'web.dstack.yml', yaml), '-y', '-d');
  await until(
    async () => (await ask('/proxy/services/main/web/seen', { from: LIAR })).statusCode === 200,
  );
});
afterAll(() => home?.dispose());

interface Caller {
  readonly from: string;
  readonly forwarded?: Readonly<Record<string, string>>;
}

async function ask(path: string, { from, forwarded }: Caller, body?: string) {
  const { hostname, port } = new URL(home.url);
  const headers = { authorization: `Bearer ${home.token()}`, ...forwarded };
  const where = { hostname, port, path, localAddress: from, agent: false };
  const sent = request({ ...where, method: 'POST', headers }).end(body);
  return ((await once(sent, 'response')) as [IncomingMessage])[0];
}

/** As the app sees it. */
async function clientSeen(caller: Caller): Promise<string> {
  const answer = await ask('/proxy/services/main/web/seen', caller);
  const seen = (await json(answer)) as { headers: Record<string, string> };
  return seen.headers['x-forwarded-for'] ?? '';
}

/** Whether the API takes the browser's connection for an encrypted one, as proxies describe it. */
async function isEncrypted(from: string): Promise<boolean> {
  const forwarded = { 'x-forwarded-proto': 'https' };
  const answer = await ask('/api/session', { from, forwarded }, '{"persistent":false}');
  await json(answer);
  return String(answer.headers['set-cookie']).includes('Secure');
}

const forwarded = { 'x-forwarded-for': '203.0.113.7' };

it('apps see the client that a trusted proxy names, and the address of one that is not trusted', async () => {
  expect(await clientSeen({ from: PROXY, forwarded })).toBe(`203.0.113.7, ${PROXY}`);
  expect(await clientSeen({ from: LIAR, forwarded })).toBe(LIAR);
  expect(await clientSeen({ from: LIAR })).toBe(LIAR);
});

it('the API believes the headers of a trusted proxy, and of no other client', async () => {
  expect(await isEncrypted(PROXY)).toBe(true);
  expect(await isEncrypted(LIAR)).toBe(false);
});

it('the limit of wrong tokens counts the client, and not nginx, a proxy or what a client claims', async () => {
  let sent = 0;
  const guess = async (path: string, from: string, client: string) => {
    sent += 1;
    const forwarded = { 'x-forwarded-for': client, authorization: `Bearer guess-${sent}` };
    const answer = await ask(path, { from, forwarded });
    answer.resume();
    return answer.statusCode;
  };
  for (const path of ['/api/users/get_my_user', '/proxy/services/main/web/seen']) {
    /** Above the limit, a client has one look-up at a time. */
    const burst = (from: string, clientOf: (n: number) => string) =>
      Promise.all(Array.from({ length: 20 }, (_, n) => guess(path, from, clientOf(n))));
    await until(async () => (await burst(LIAR, (n) => `198.51.100.${n}`)).includes(429));
    await until(async () => (await burst(PROXY, () => '203.0.113.9')).includes(429));
    expect(await guess(path, PROXY, '203.0.113.10')).toBe(403);
    expect(await guess(path, '127.0.0.77', '203.0.113.9')).toBe(403);
  }
});
