/** gRPC through nginx and the workers, to replicas behind an agent. */
import { type ChildProcess, execFile, execFileSync, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { GatewayService } from '@dstack/contract/agent';
import { type AdmissionAsk, ProxyRefusal } from '@dstack/proxy';
import { freePort } from '@dstack/testkit';
import {
  type Client,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Nginx } from '../nginx/nginx.ts';
import { pushedRoute } from '../pushed-route.ts';
import { startPortAgent } from '../testing/port-agent.ts';
import { webUser } from '../web-user.ts';
import { Workers } from '../workers.ts';
import { ECHO } from './testing/echo-service.ts';

const hasNginx = existsSync('/usr/sbin/nginx');
if (process.env.CI && !hasNginx) throw new Error('gRPC cannot be tested: nginx is missing');

const execute = promisify(execFile);
const RUN = randomUUID();
const log = { debug() {}, info() {}, warn() {}, error: console.error } as never;

interface Replica {
  readonly job: string;
  readonly name: string;
  readonly port: number;
  readonly app: ChildProcess;
}

describe.skipIf(!hasNginx)('gRPC to a service of a gateway', () => {
  let runtime: string;
  let agent: Server;
  let nginx: Nginx;
  let workers: Workers;
  let address: string;
  let ca: Buffer;
  let replicas: Replica[] = [];
  const waiting = new Set<string>();

  beforeAll(async () => {
    const user = webUser();
    runtime = mkdtempSync(join(tmpdir(), 'dstack-calls-'));
    chmodSync(runtime, 0o711);
    mkdirSync(join(runtime, 'certificates'), { mode: 0o755 });
    ca = certificate(join(runtime, 'certificates', 'echo.apps.test.pem'), user?.group ?? null);
    agent = await startPortAgent(join(runtime, 'agent.sock'));
    replicas = [await start('one'), await start('two')];
    const counts = join(runtime, 'counts');
    workers = new Workers({
      ...{ runtime, group: user?.group ?? null, timeoutMs: 60_000, log },
      spools: { uses: join(runtime, 'uses'), counts },
      initial: () => [
        ['known', { routes: [pushedRoute(RUN, service(replicas))], grants: [] }],
        [
          'state',
          { hosts: { host: { socket: join(runtime, 'agent.sock'), token: 'x' } }, online: true },
        ],
      ],
      handlers: () => ({
        admit: callerOf,
        isToken: () => false,
        outage() {
          throw new ProxyRefusal(503, 'no replica', { retryAfter: 1 });
        },
        takeRate: () => 1,
        load() {},
        deliver() {
          for (const name of readdirSync(counts)) {
            if (!name.endsWith('.json')) continue;
            const { uses } = JSON.parse(readFileSync(join(counts, name), 'utf8'));
            for (const { runId, wakes } of uses) if (wakes) waiting.add(runId);
          }
        },
      }),
      onExit: () => {},
    });
    await workers.start();
    nginx = new Nginx({ runtime, user: user?.name ?? null, group: user?.group ?? null, log });
    const ports = { httpPort: await freePort(), httpsPort: await freePort() };
    // Less than some messages and streams have.
    const maxBody = 1024 * 1024;
    const rest = { maxBody, hsts: 0, workers: workers.sockets, acmeProof: null, acmeSocket: null };
    await nginx.ensure({ ...ports, ...rest, plainTimeoutMs: null }, { install: false });
    address = `127.0.0.1:${ports.httpsPort}`;
  });
  afterAll(async () => {
    await nginx?.stop();
    workers?.kill();
    agent?.close();
    agent?.closeAllConnections();
    for (const { app } of replicas) app.kill('SIGKILL');
    rmSync(runtime, { recursive: true, force: true });
  });
  const clients: Client[] = [];
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });

  async function start(name: string): Promise<Replica> {
    const app = fork(join(import.meta.dirname, 'testing', 'echo-app.ts'), [name]);
    const [port] = (await once(app, 'message')) as [number];
    return { job: randomUUID(), name, port, app };
  }

  function service(served: readonly Replica[], more: object = {}): GatewayService {
    const configuration = {
      ...{ type: 'service', protocol: 'grpc', auth: true, strip_prefix: true, replicas: null },
      ...{ scaling: null, autoscaling: null, rate_limits: [], held_requests: null, groups: null },
      ...{ affinity: null, model: null, ...more },
    };
    return {
      ...{ run_id: RUN, project: 'main', run: 'echo', host: 'echo.apps.test', https: true },
      ...{ custom_hosts: null, custom_paths: null, configuration: JSON.stringify(configuration) },
      replicas: served.map(({ job, port }) => ({
        ...{ job_id: job, host_id: 'host', port, running_at: 0, failing: false, tunnel: null },
      })),
    };
  }

  const serve = (served: readonly Replica[], more: object = {}) =>
    workers.notify('route', pushedRoute(RUN, service(served, more)));
  const LIMITED = {
    rate_limits: [{ prefix: '/test.Echo/', key: { type: 'ip_address' }, rps: 1, burst: 0 }],
  };

  function echo() {
    const Echo = makeGenericClientConstructor(ECHO, 'test.Echo');
    const client = new Echo(address, credentials.createSsl(ca), {
      ...{ 'grpc.ssl_target_name_override': 'echo.apps.test' },
      ...{ 'grpc.default_authority': 'echo.apps.test', 'grpc.use_local_subchannel_pool': 1 },
      ...{ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 },
      'grpc.enable_retries': 0,
    });
    clients.push(client);
    return client;
  }
  type Echo = ReturnType<typeof echo>;

  function withToken(token = 'known'): Metadata {
    const metadata = new Metadata();
    if (token !== '') metadata.set('authorization', `Bearer ${token}`);
    return metadata;
  }

  interface Answer {
    readonly message: Buffer;
    /** From before the message. */
    readonly head: Metadata;
  }

  function unary(client: Echo, name: string, message: Buffer, metadata = withToken()) {
    return new Promise<Answer>((resolve, reject) => {
      let head = new Metadata();
      const done = (error: ServiceError | null, answer?: Buffer) => {
        if (error) reject(error);
        else resolve({ message: answer ?? Buffer.alloc(0), head });
      };
      const options = { deadline: Date.now() + 60_000 };
      const call = client[name]?.(message, metadata, options, done);
      call.on('metadata', (given: Metadata) => {
        head = given;
      });
    });
  }

  it('passes on messages of any size and metadata both ways, but no token', async () => {
    const client = echo();
    const metadata = withToken();
    metadata.add('some-bin', Buffer.from([0, 255]));
    metadata.set('x-dstack-user', 'root');
    const { message, head } = await unary(client, 'unary', Buffer.from('hello'), metadata);
    expect(message.toString()).toBe('hello');
    expect(head.getMap()).toMatchObject({
      ...{ 'seen-x-dstack-user': 'ann', 'seen-authorization': '', 'seen-deadline': 'true' },
      ...{ 'seen-x-forwarded-for': '127.0.0.1', 'some-bin': Buffer.from([0, 255]) },
    });
    const large = Buffer.alloc(4 * 1024 * 1024, 'x');
    expect((await unary(client, 'unary', large)).message.equals(large)).toBe(true);
    expect((await unary(client, 'unary', Buffer.alloc(0))).message).toHaveLength(0);
  });

  it('passes on the status, the text and the trailers of a call that fails', async () => {
    const failure = await unary(
      echo(),
      'fail',
      Buffer.from(String(status.FAILED_PRECONDITION)),
    ).catch((error: ServiceError) => error);
    expect(failure).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'as asked, 100 %' });
    expect((failure as ServiceError).metadata.get('reason')).toEqual(['asked for']);
  });

  it('passes on streams as they arrive, in both directions', async () => {
    const client = echo();
    const parts: string[] = [];
    const split = client.split?.(Buffer.from('abc'), withToken());
    for await (const part of split as AsyncIterable<Buffer>) parts.push(String(part));
    expect(parts).toEqual(['a', 'b', 'c']);
    const chat = client.chat?.(withToken());
    for (const text of ['one', 'two', 'three']) {
      chat.write(Buffer.from(text));
      // The next message is sent after the answer to this one.
      expect(String((await once(chat, 'data'))[0])).toBe(text);
    }
    chat.end();
    const [over] = await once(chat, 'status');
    expect(over.code).toBe(status.OK);
  });

  it('passes on streams that are longer together than the body of a request may be', async () => {
    const chat = echo().chat?.(withToken());
    const part = Buffer.alloc(256 * 1024, 'x');
    for (let n = 0; n < 10; n++) {
      chat.write(part);
      expect((await once(chat, 'data'))[0]).toHaveLength(part.length);
    }
    chat.end();
    expect((await once(chat, 'status'))[0].code).toBe(status.OK);
  });

  it('cancels the call of the app when the client does, or its deadline has passed', async () => {
    const client = echo();
    const cancelled = async () => {
      let sum = 0;
      for (const { name } of replicas) sum += await cancelledAt(client, name);
      return sum;
    };
    for (const end of ['cancel', 'deadline'] as const) {
      const before = await cancelled();
      const options = end === 'deadline' ? { deadline: Date.now() + 1500 } : {};
      const chat = client.chat?.(withToken(), options);
      const over = once(chat, 'error');
      chat.write(Buffer.from('x'));
      await once(chat, 'data');
      if (end === 'cancel') chat.cancel();
      const [error] = await over;
      const code = end === 'cancel' ? status.CANCELLED : status.DEADLINE_EXCEEDED;
      expect(error.code).toBe(code);
      while ((await cancelled()) !== before + 1) await delay(5);
    }
  });

  /** Each replica is asked in turn. */
  async function cancelledAt(client: Echo, name: string): Promise<number> {
    const replica = replicas.filter((one) => one.name === name);
    serve(replica);
    for (;;) {
      const { head } = await unary(client, 'unary', Buffer.from(''));
      if (head.get('replica')[0] === name) break;
    }
    const { message } = await unary(client, 'cancelled', Buffer.from(''));
    serve(replicas);
    return Number(message.toString());
  }

  it('refuses with a status of gRPC those who may not call, and what is no call', async () => {
    const codeOf = async (token: string) =>
      await unary(echo(), 'unary', Buffer.from(''), withToken(token)).catch(
        ({ code, details }: ServiceError) => ({ code, details }),
      );
    expect(await codeOf('unknown')).toEqual({
      ...{ code: status.PERMISSION_DENIED, details: 'Ünknown, 5 %' },
    });
    serve([]);
    expect(await codeOf('known')).toMatchObject({ code: status.UNAVAILABLE });
    serve(replicas, LIMITED);
    expect(await codeOf('known')).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    serve(replicas, { protocol: null });
    expect(await codeOf('known')).toMatchObject({ code: status.UNIMPLEMENTED });
    serve(replicas);
    const { stdout: plain } = await execute('curl', [
      ...['-sk', '--http2', '-H', 'Authorization: Bearer known', '-w', ' %{http_code}'],
      ...['--resolve', `echo.apps.test:${address.split(':')[1]}:127.0.0.1`],
      `https://echo.apps.test:${address.split(':')[1]}/`,
    ]);
    expect(plain).toBe('{"detail":"echo answers calls of gRPC only"} 415');
  });

  it('holds calls to a service without a replica until it has one', async () => {
    const scaling = { metric: 'rps', target: 1, window: null };
    serve([], { replicas: { min: 0, max: 2 }, scaling });
    const answer = unary(echo(), 'unary', Buffer.from('held'));
    while (!waiting.has(RUN)) await delay(5);
    serve(replicas);
    expect((await answer).message.toString()).toBe('held');
  });

  /** Calls one after another in three loops; what each failure ended with. */
  function load() {
    const codes: number[] = [];
    let answered = 0;
    let isOver = false;
    const loops = [1, 2, 3].map(async () => {
      const client = echo();
      while (!isOver) {
        const error = await unary(client, 'unary', Buffer.from('x')).then(
          () => null,
          (failure: ServiceError) => failure,
        );
        if (error === null) answered += 1;
        else codes.push(error.code);
      }
    });
    return {
      count: () => answered,
      end: async () => {
        isOver = true;
        await Promise.all(loops);
        return { answered, codes };
      },
    };
  }

  async function more(calls: ReturnType<typeof load>, count = 40): Promise<void> {
    const before = calls.count();
    while (calls.count() < before + count) await delay(5);
  }

  it('fails no call while replicas are replaced, and those alone that a killed one had', async () => {
    const calls = load();
    await more(calls);
    const three = await start('three');
    const [one, two] = replicas as [Replica, Replica];
    serve([one, two, three]);
    await more(calls);
    await Promise.all(workers.all.map((worker) => worker.leave(one.job)));
    one.app.kill('SIGKILL');
    serve([two, three]);
    replicas = [two, three];
    await more(calls);
    two.app.kill('SIGKILL');
    await more(calls);
    replicas = [three];
    serve(replicas);
    const { codes } = await calls.end();
    // One of each loop may have been in flight.
    expect(codes.length).toBeLessThanOrEqual(3);
    expect(codes.every((code) => code === status.UNAVAILABLE)).toBe(true);
  });
});

function callerOf({ authorization, project }: AdmissionAsk) {
  if (authorization !== 'Bearer known') throw new ProxyRefusal(403, 'Ünknown, 5 %');
  const caller = { name: 'ann', userId: 'ann', projectId: project, projectName: project };
  return { ...caller, expiresAt: null, token: null, services: null };
}

/** Writes a certificate of its own with its key; returns the certificate. */
function certificate(path: string, group: number | null): Buffer {
  const files = [`${path}.key`, `${path}.crt`];
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', '/CN=echo', '-addext', 'subjectAltName=DNS:echo.apps.test'];
  const [key = '', own = ''] = files;
  const args = ['req', '-x509', ...fresh, ...names, '-keyout', key, '-out', own, '-days', '2'];
  execFileSync('openssl', args, { stdio: 'pipe' });
  const [text, secret] = [readFileSync(own), readFileSync(key)];
  writeFileSync(path, Buffer.concat([text, secret]), { mode: 0o640 });
  if (group !== null) chownSync(path, 0, group);
  return text;
}
