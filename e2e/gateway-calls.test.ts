/** gRPC and streams to runs behind a gateway on the machine of the server, with TLS and the product's own agent. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import {
  type Client,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { CALLS } from './call-service.ts';
import { applyFleet, configuration, newInstallation } from './installation.ts';
import { requestLoad } from './request-load.ts';
import { serviceFigures } from './service-figures.ts';
import { freePort } from './serving.ts';
import { until, waitFor } from './until.ts';

const app = jobProgram(join(import.meta.dirname, 'call-app.ts'));
const otherApp = jobProgram(join(import.meta.dirname, 'service-app.ts'));

const MIB = 1024 * 1024;

interface Made {
  readonly creds: { readonly token: string };
}

describe.skipIf(!existsSync('/usr/sbin/nginx'))('calls of gRPC to a run', () => {
  let home: Installation;
  let port: number;
  let ca: Buffer;
  const clients: Client[] = [];
  beforeAll(async () => {
    port = await freePort();
    home = newInstallation({
      DSTACK_GATEWAY_HTTP_PORT: String(await freePort()),
      DSTACK_GATEWAY_HTTPS_PORT: String(port),
      DSTACK_DEFAULT_SERVICE_CLIENT_MAX_BODY_SIZE: String(MIB),
    });
    await home.startServer();
    await applyFleet(home, '0..4');
    const yaml =
      "type: gateway\nname: edge\nbackend: remote\nregion: local\ndomain: '*.apps.test'\ncertificate: null\n";
    await home.ok('apply', '-f', configuration(home, 'edge.yml', yaml), '-y');
    const [key, own] = [join(home.home, 'own.key'), join(home.home, 'own.pem')];
    const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const names = ['-subj', '/CN=calls', '-addext', 'subjectAltName=DNS:*.apps.test'];
    const made = ['req', '-x509', ...fresh, ...names, '-keyout', key, '-out', own, '-days', '2'];
    execFileSync('openssl', made, { stdio: 'pipe' });
    ca = readFileSync(own);
    await home.ok('gateway', 'certificate', 'set', 'edge', '--cert', own, '--key', key);
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await home?.dstack(['gateway', 'delete', 'edge', '-y', '--force']);
    await home?.dispose();
  });

  async function applyService(version: string): Promise<void> {
    const yaml = [
      ...['type: service', 'name: calls', 'port: 8000', 'protocol: grpc', 'replicas: 2'],
      ...[`commands: ['exec ${app}']`, `env: [VERSION=${version}]`],
      'resources: {gpu: 0}',
    ].join('\n');
    await home.ok('apply', '-f', configuration(home, 'calls.yml', yaml), '-y', '-d');
  }

  function connected() {
    const Calls = makeGenericClientConstructor(CALLS, 'e2e.Calls');
    const client = new Calls(`127.0.0.1:${port}`, credentials.createSsl(ca), {
      ...{ 'grpc.ssl_target_name_override': 'calls.apps.test', 'grpc.enable_retries': 0 },
      ...{ 'grpc.default_authority': 'calls.apps.test', 'grpc.use_local_subchannel_pool': 1 },
    });
    clients.push(client);
    return client;
  }

  function metadata(token: string): Metadata {
    const given = new Metadata();
    if (token !== '') given.set('authorization', `Bearer ${token}`);
    return given;
  }

  function whoami(client: ReturnType<typeof connected>, token = home.token()) {
    return new Promise<{ version: string; seen: object }>((resolve, reject) => {
      let seen = {};
      const options = { deadline: Date.now() + 30_000 };
      const call = client.whoami?.(
        ...[Buffer.alloc(0), metadata(token), options],
        (error: ServiceError | null, answer?: Buffer) =>
          error ? reject(error) : resolve({ version: String(answer), seen }),
      );
      call.on('metadata', (head: Metadata) => {
        seen = head.getMap();
      });
    });
  }

  const codeOf = (client: ReturnType<typeof connected>, token?: string) =>
    whoami(client, token).then(
      () => status.OK,
      ({ code }: ServiceError) => code,
    );

  it('are answered, with streams, for members only', async () => {
    await applyService('1');
    const client = connected();
    await waitFor(
      () => codeOf(client),
      (code) => code === status.OK,
      async (code) => `${code}; ${await home.ok('explain', 'calls', '-v')}`,
    );
    expect(await whoami(client)).toMatchObject({
      ...{ version: '1', seen: { user: 'admin', token: '' } },
    });
    expect(await codeOf(client, '')).toBe(status.PERMISSION_DENIED);
    const echo = client.echo?.(metadata(home.token()));
    for (const text of ['one', 'two']) {
      echo.write(Buffer.from(text));
      expect(String((await once(echo, 'data'))[0])).toBe(text);
    }
    echo.end();
    expect((await once(echo, 'status'))[0].code).toBe(status.OK);
    // The server reports what the gateway has answered.
    await waitFor(
      () => serviceFigures(home, 'calls'),
      ({ answered = {} }) => (answered['2xx'] ?? 0) > 1,
      (figures) => JSON.stringify(figures),
    );
    const requests = await home.ok('logs', '--access', 'calls');
    expect(requests).toMatch(/ 200 +[\d.]+ ms +POST +\/e2e\.Calls\/whoami +admin 127\.0\.0\.1\n/);
  });

  it('do not fail while the server is killed, nor during a rollout', async () => {
    let answered = 0;
    const client = connected();
    const calls = requestLoad(async () => {
      const code = await codeOf(client);
      answered += 1;
      return code === status.OK ? null : code;
    });
    const more = async () => {
      const before = answered;
      await until(() => answered > before + 20);
    };
    await more();
    await home.stopServer('SIGKILL');
    await more();
    await home.startServer();
    await applyService('2');
    await until(async () => (await whoami(client)).version === '2');
    await more();
    expect((await calls()).failed).toEqual([]);
  });

  /** How requests of that user to another service are sent. */
  const by = (token: string) => ({
    ...{ host: '127.0.0.1', port, ca, servername: 'web.apps.test', agent: false as const },
    headers: { host: 'web.apps.test', authorization: `Bearer ${token}` },
  });

  async function send(token: string, path: string, body?: Buffer): Promise<IncomingMessage> {
    const method = body === undefined ? 'GET' : 'POST';
    const outgoing = request({ ...by(token), path, method });
    outgoing.end(body);
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    return answer;
  }

  it('are no obstacle to streams and WebSockets of others, which end with the access of their caller', async () => {
    const yaml = [
      ...['type: service', 'name: web', 'port: 8000', 'resources: {gpu: 0}'],
      `commands: ['exec ${otherApp}']`,
    ].join('\n');
    await home.ok('apply', '-f', configuration(home, 'web.yml', yaml), '-y', '-d');
    await waitFor(
      async () => (await send(home.token(), '/').catch(() => null))?.resume().statusCode,
      (status) => status === 200,
      async (status) => `${status}; ${await home.ok('explain', 'web', '-v')}`,
    );
    const username = 'guest';
    await home.api('/api/users/create', { username, global_role: 'user' });
    const { creds } = await home.api<Made>('/api/users/get_user', { username });
    await home.api('/api/projects/main/add_members', {
      members: [{ username, project_role: 'user' }],
    });
    const sent = Buffer.alloc(MIB, 'x');
    expect((await send(creds.token, '/upload', sent)).resume().statusCode).toBe(200);
    const refused = await send(creds.token, '/upload', Buffer.concat([sent, sent]));
    expect(refused.resume().statusCode).toBe(413);
    // The first event of the app arrives although its answer never ends.
    const events = await send(creds.token, '/endless');
    expect(String((await once(events, 'data'))[0])).toBe('data: 0\n\n');
    const { host, headers, servername } = by(creds.token);
    const agent = new Agent({ ca, servername });
    const socket = new WebSocket(`wss://${host}:${port}/`, { agent, headers });
    await once(socket, 'open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('hello');
    const ends = [socket, events].map(
      (one) => new Promise((done) => one.on('error', done).on('close', done)),
    );
    await home.api('/api/projects/main/remove_members', { usernames: [username] });
    await Promise.all(ends);
    expect((await send(creds.token, '/')).resume().statusCode).toBe(403);
  });
});
