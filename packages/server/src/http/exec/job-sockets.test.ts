import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { AgentRefusal } from '../../hosts/agent-client.ts';
import { insertInstances, serveAt, submitService } from '../testing/services.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { type JobSocketDeps, jobSocketRoutes } from './job-sockets.ts';

let server: TestServer;
let url: string;
/** Stands for the agent: commands, and a port of the job that repeats what it receives. */
let agent: WebSocketServer;
let commands: WebSocket[];
let echo: Server;
let client: ReturnType<JobSocketDeps['client']>;
const sockets: WebSocket[] = [];

const LIMITS = { perUser: 3, total: 5, idleMs: { exec: 60_000, port: 60_000 }, checkMs: 30_000 };

async function start(limits = LIMITS): Promise<void> {
  server = await startTestServer();
  agent = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: 1024 * 1024 });
  commands = [];
  agent.on('connection', (socket) => commands.push(socket));
  echo = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  echo.listen(0, '127.0.0.1');
  await Promise.all([once(agent, 'listening'), once(echo, 'listening')]);
  const portOf = (one: { address(): unknown }) => (one.address() as AddressInfo).port;
  client = {
    openExec: async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${portOf(agent)}`);
      await once(socket, 'open');
      return socket;
    },
    openPort: async (_id, port) => {
      if (port === 1) throw new AgentRefusal(502, 'port_refused', 'Nothing answers at port 1');
      const stream = connect(portOf(echo), '127.0.0.1');
      await once(stream, 'connect');
      return { stream, ownAddress: null };
    },
  };
  jobSocketRoutes(server.app, { ...server.deps, client: () => client, limits });
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  url = `127.0.0.1:${portOf(server.app.server)}`;
  const { id } = await submitService(server, 'app');
  await serveAt(server, id, [8000], await insertInstances(server, 1));
}

beforeEach(() => start());
afterEach(stop);
async function stop(): Promise<void> {
  for (const socket of sockets.splice(0)) socket.terminate();
  for (const socket of agent.clients) socket.terminate();
  agent.close();
  echo.close();
  await server.close();
}

class Client {
  readonly socket: WebSocket;
  readonly texts: { readonly type: string; readonly code?: string; readonly message?: string }[] =
    [];
  readonly bytes: Buffer[] = [];
  /** 101, or the status of the refusal. */
  readonly opened: Promise<number>;
  readonly closed: Promise<number>;

  constructor(path: string, headers: Record<string, string>, protocols: string[] = []) {
    this.socket = new WebSocket(`ws://${url}${path}`, protocols, { headers });
    sockets.push(this.socket);
    this.socket.on('error', () => {});
    this.socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.bytes.push(data);
      else this.texts.push(JSON.parse(String(data)));
    });
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.opened = new Promise((resolve) => {
      this.socket.once('open', () => resolve(101));
      this.socket.once('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
    });
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  get received(): Buffer {
    return Buffer.concat(this.bytes);
  }
}

const EXEC = '/api/project/main/runs/app/exec';
const PORT = '/api/project/main/runs/app/port?port=8000';
const bearer = (token = server.token) => ({ authorization: `Bearer ${token}` });
const open = (path = EXEC, token = server.token) => new Client(path, bearer(token));

const api = async (path: string, body: unknown) => {
  const answer = await server.call(path, body);
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.body;
};

async function user(username: string, project_role: string | null): Promise<string> {
  await api('/api/users/create', { username, global_role: 'user' });
  const members = [{ username, project_role }];
  if (project_role !== null) await api('/api/projects/main/add_members', { members });
  return (await api('/api/users/get_user', { username })).creds.token;
}

const program = async (scope: string) =>
  (await api('/api/project/main/service_tokens/create', { name: scope, scope })).token;

/** The agent's end of the next command. */
async function agentSide(count = 1): Promise<WebSocket> {
  await vi.waitFor(() => expect(commands).toHaveLength(count), { interval: 5 });
  return commands[count - 1] as WebSocket;
}

describe('a command', () => {
  it('is passed on in both directions', async () => {
    const run = open();
    expect(await run.opened).toBe(101);
    const command = await agentSide();
    const heard: unknown[] = [];
    command.on('message', (data: Buffer, isBinary) => heard.push(isBinary ? data : String(data)));
    run.send({ type: 'start', argv: ['ls'] });
    run.socket.send(Buffer.from('\0input'));
    await vi.waitFor(() => expect(heard).toHaveLength(2));
    expect([JSON.parse(String(heard[0])).argv, String(heard[1])]).toEqual([['ls'], '\0input']);
    command.send('{"type":"started"}');
    command.send(Buffer.from('\x01out'));
    command.send(Buffer.from('\x02err'));
    command.send('{"type":"exit","status":3,"signal":null}');
    command.close();
    expect(await run.closed).toBe(1000);
    expect(run.texts.map(({ type }) => type)).toEqual(['started', 'exit']);
    expect(run.bytes.map(String)).toEqual(['\x01out', '\x02err']);
  });

  it('gets from a host only what the protocol allows', async () => {
    const run = open();
    await run.opened;
    const command = await agentSide();
    command.send('nonsense');
    command.send('{"type":"exit","status":"<b>"}');
    command.send('{"type":"newer"}');
    command.send(Buffer.from('\x07unknown channel'));
    command.send(Buffer.alloc(70_000, 1));
    command.send('{"type":"started","extra":1}');
    await vi.waitFor(() => expect(run.texts).toEqual([{ type: 'started' }]));
    expect(run.bytes).toEqual([]);
  });

  it('is not read faster than its client reads', async () => {
    const run = open();
    await run.opened;
    const command = await agentSide();
    run.socket.pause();
    const piece = Buffer.alloc(64 * 1024, 1);
    let acknowledged = 0;
    for (let i = 0; i < 600; i++) command.send(piece, () => (acknowledged += 1));
    let before = -1;
    await vi.waitFor(
      () => {
        const now = acknowledged;
        const isStill = now === before;
        before = now;
        expect(isStill).toBe(true);
      },
      { interval: 200, timeout: 10_000 },
    );
    expect(acknowledged).toBeLessThan(400);
    run.socket.resume();
    await vi.waitFor(() => expect(run.bytes).toHaveLength(600), {
      timeout: 15_000,
    });
  });

  it('ends with an error when the connection to its host is lost', async () => {
    const run = open();
    await run.opened;
    (await agentSide()).terminate();
    expect(await run.closed).toBe(1011);
    expect(run.texts).toMatchObject([{ type: 'error', code: 'connection_lost' }]);
  });

  it('ends when its client disconnects', async () => {
    const run = open();
    await run.opened;
    const command = await agentSide();
    const gone = once(command, 'close');
    run.socket.terminate();
    await gone;
  });

  it.each([
    ['text that is not JSON', '{'],
    ['a message of another form', '{"type":"resize","cols":-1,"rows":1}'],
    ['another channel', Buffer.from('\x01x')],
    ['no channel', Buffer.alloc(0)],
  ])('ends after %s', async (_what, message) => {
    const run = open();
    await run.opened;
    const command = await agentSide();
    const gone = once(command, 'close');
    run.socket.send(message);
    expect(await run.closed).toBe(1007);
    expect(run.texts).toMatchObject([{ type: 'error', code: 'bad_message' }]);
    await gone;
  });

  it('ends after a message that is too large', async () => {
    const run = open();
    await run.opened;
    await agentSide();
    run.socket.send(Buffer.alloc(1024 * 1024 + 1));
    expect(await run.closed).toBe(1009);
  });

  it('is answered with the reason if it cannot be started', async () => {
    const cases: [string, Partial<typeof client> | null, number, string][] = [
      [`${EXEC}?job=1`, client, 4404, 'unknown_job'],
      [`${EXEC}?replica=x`, client, 4400, 'bad_request'],
      [EXEC, null, 4503, 'unreachable'],
    ];
    for (const [path, how, close, code] of cases) {
      client = how as typeof client;
      const run = open(path);
      expect(await run.opened).toBe(101);
      expect([await run.closed, run.texts[0]?.code]).toEqual([close, code]);
    }
    const refusals: [AgentRefusal, number, string][] = [
      [new AgentRefusal(409, 'not_running', 'The job is held'), 4409, 'not_running'],
      [new AgentRefusal(404, 'not_found', 'Nothing exists at this path'), 4501, 'unsupported'],
    ];
    for (const [error, close, code] of refusals) {
      client = { openExec: () => Promise.reject(error) } as unknown as typeof client;
      const run = open();
      expect([await run.closed, run.texts[0]?.code]).toEqual([close, code]);
    }
  });

  it('needs a running job', async () => {
    await submitService(server, 'waiting');
    const run = open('/api/project/main/runs/waiting/exec');
    expect(await run.closed).toBe(4409);
    expect(run.texts[0]?.message).toContain('is submitted');
  });
});

describe('a connection to a port', () => {
  it('carries bytes both ways', async () => {
    const port = open(PORT);
    await port.opened;
    const sent = Buffer.alloc(3_000_000, 'abc');
    for (let at = 0; at < sent.length; at += 500_000) {
      port.socket.send(sent.subarray(at, at + 500_000));
    }
    await vi.waitFor(() => expect(port.received.length).toBe(sent.length), { timeout: 10_000 });
    expect(port.received.equals(sent)).toBe(true);
  });

  it('ends with that of the job', async () => {
    const connected = once(echo, 'connection');
    const port = open(PORT);
    await port.opened;
    const [socket] = (await connected) as [Socket];
    socket.end();
    expect(await port.closed).toBe(1000);
  });

  it('closes that of the job', async () => {
    const connected = once(echo, 'connection');
    const port = open(PORT);
    await port.opened;
    const [socket] = (await connected) as [Socket];
    const gone = once(socket, 'close');
    port.socket.terminate();
    await gone;
  });

  it.each([
    ['?port=1', 4502, 'port_refused'],
    ['?port=0', 4400, 'bad_request'],
    ['?port=65536', 4400, 'bad_request'],
    ['?port=80a', 4400, 'bad_request'],
    ['', 4400, 'bad_request'],
  ])('is answered with the reason for %j', async (query, close, code) => {
    const port = open(`/api/project/main/runs/app/port${query}`);
    expect([await port.closed, port.texts[0]?.code]).toEqual([close, code]);
  });
});

describe('access to a job', () => {
  it('is for managers and for the user who submitted the run', async () => {
    expect(await open(EXEC, await user('boss', 'manager')).opened).toBe(101);
    expect(await open(EXEC, await user('chief', 'admin')).opened).toBe(101);
    const token = await user('other', 'user');
    expect(await open(EXEC, token).opened).toBe(403);
    expect(await open(EXEC, await user('stranger', null)).opened).toBe(403);
    const run = await server.store.runs.byName(
      (await server.store.projects.byName('main'))?.id ?? '',
      'app',
    );
    const other = await server.store.users.byName('other');
    vi.spyOn(server.store.runs, 'byName').mockImplementation(async () =>
      run ? { ...run, run: { ...run.run, userId: other?.id ?? '' } } : null,
    );
    expect(await open(EXEC, token).opened).toBe(101);
  });

  it('is for programs with that scope', async () => {
    expect(await open(EXEC, await program('read')).opened).toBe(403);
    expect(await open(EXEC, await program('user')).opened).toBe(101);
    expect(await open(EXEC, await program('manager')).opened).toBe(101);
  });

  it.each([
    [EXEC, {}, 401],
    [EXEC, { authorization: 'Bearer wrong' }, 403],
    ['/api/project/main/runs/none/exec', null, 404],
    ['/api/project/none/runs/app/exec', null, 404],
    ['/api/project/%ff/runs/app/exec', null, 0],
  ])('at %s with %j is refused with %i', async (path, headers, status) => {
    const run = new Client(path, headers ?? bearer());
    if (status === 0) expect(await run.closed).toBe(1006);
    else expect(await run.opened).toBe(status);
    expect(server.access.watched).toBe(0);
  });

  it('does not lead to runs of other projects', async () => {
    await api('/api/projects/create', { project_name: 'other' });
    expect(await open('/api/project/other/runs/app/exec').opened).toBe(404);
  });

  it.each([
    ['the token is replaced', () => api('/api/users/refresh_token', { username: 'boss' })],
    [
      'the member is removed',
      () => api('/api/projects/main/remove_members', { usernames: ['boss'] }),
    ],
    [
      'the role is lowered',
      () =>
        api('/api/projects/main/add_members', {
          members: [{ username: 'boss', project_role: 'user' }],
        }),
    ],
  ])('ends at once when %s', async (_what, revoke) => {
    const token = await user('boss', 'manager');
    const [run, port] = [open(EXEC, token), open(PORT, token)];
    await Promise.all([run.opened, port.opened]);
    const command = await agentSide();
    const gone = once(command, 'close');
    await revoke();
    expect(await Promise.all([run.closed, port.closed])).toEqual([1008, 1008]);
    await gone;
    expect(run.texts).toMatchObject([{ type: 'error', code: 'revoked' }]);
    expect(server.access.watched).toBe(0);
  });

  it('is limited in number', async () => {
    const many = [open(), open(PORT), open()];
    for (const one of many) expect(await one.opened).toBe(101);
    expect(await open().opened).toBe(429);
    many[0]?.socket.terminate();
    await vi.waitFor(async () => expect(await open().opened).toBe(101));
    const token = await user('boss', 'manager');
    expect(await open(EXEC, token).opened).toBe(101);
    expect(await open(EXEC, token).opened).toBe(101);
    expect(await open(EXEC, token).opened).toBe(429);
  });

  it('ends when it is not used', async () => {
    await stop();
    await start({ ...LIMITS, idleMs: { exec: 40, port: 40 }, checkMs: 20 });
    const [run, port] = [open(), open(PORT)];
    expect(await Promise.all([run.closed, port.closed])).toEqual([4408, 4408]);
  });

  it('ends when the server shuts down', async () => {
    const run = open();
    await run.opened;
    await agentSide();
    server.deps.shutdown.end(() => {});
    expect(await run.closed).toBe(1001);
    expect(await open().opened).toBe(503);
  });
});

describe('a browser', () => {
  async function session() {
    const opened = await server.call(
      '/api/session',
      {},
      { headers: { origin: `http://${url}`, host: url } },
    );
    expect(opened.status).toBe(200);
    return {
      key: opened.body.key as string,
      cookie: String(opened.headers['set-cookie']).split(';')[0] ?? '',
    };
  }

  it('uses its session from a page of this server', async () => {
    const { key, cookie } = await session();
    const headers = { cookie, origin: `http://${url}` };
    const run = new Client(EXEC, headers, ['dstack.v1', `dstack.key.${key}`]);
    expect(await run.opened).toBe(101);
    expect(run.socket.protocol).toBe('dstack.v1');
    await server.call('/api/session', undefined, {
      ...{ method: 'DELETE', token: null },
      headers: { ...headers, host: url, 'x-dstack-session': key },
    });
    expect(await run.closed).toBe(1008);
  });

  it.each([
    ['of another origin', { origin: 'http://evil.example' }, 403],
    ['of another port', { origin: 'http://127.0.0.1:1' }, 403],
    ['of a sandboxed page', { origin: 'null' }, 403],
    ['without an origin', {}, 403],
  ])('%s is refused', async (_which, origin, status) => {
    const { key, cookie } = await session();
    const run = new Client(EXEC, { cookie, ...origin }, ['dstack.v1', `dstack.key.${key}`]);
    expect(await run.opened).toBe(status);
  });

  it('without the key of its session is refused', async () => {
    const { cookie } = await session();
    const run = new Client(EXEC, { cookie, origin: `http://${url}` }, ['dstack.v1']);
    expect(await run.opened).toBe(401);
  });
});
