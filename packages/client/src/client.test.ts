import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type ClientOptions, createClient } from './client.ts';
import * as errors from './errors.ts';
import { fetchExchange } from './exchange.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

let server: Server | null = null;

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(null)));
  server = null;
});

async function listen(handler: Handler, socket?: string): Promise<string> {
  const started = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => handler(request, response, Buffer.concat(chunks).toString()));
  });
  server = started;
  await new Promise<void>((resolve) =>
    socket ? started.listen(socket, resolve) : started.listen(0, '127.0.0.1', resolve),
  );
  return socket
    ? `http+unix://${encodeURIComponent(socket)}`
    : `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function client(url: string, options: Partial<ClientOptions> = {}) {
  return createClient({ url, token: 'T', ...options });
}

test('requests carry the token and the API version, and a body only if there is one', async () => {
  const seen: unknown[] = [];
  const url = await listen((request, response, body) => {
    const { authorization, 'x-api-version': version, 'content-type': type } = request.headers;
    seen.push([request.method, request.url, authorization, version, type, body]);
    json(response, 200, []);
  });
  await client(`${url}/`).project('a b').volumes.list();
  await client(url).project('p').secrets.get('s');
  expect(seen).toEqual([
    ['POST', '/api/project/a%20b/volumes/list', 'Bearer T', '0.22.5', undefined, ''],
    [
      'POST',
      '/api/project/p/secrets/get',
      'Bearer T',
      '0.22.5',
      'application/json',
      '{"name":"s"}',
    ],
  ]);
});

test('a session is opened with the token and then used by its key', async () => {
  const seen: unknown[] = [];
  const url = await listen((request, response, body) => {
    const { authorization, 'x-dstack-session': key } = request.headers;
    seen.push([request.method, request.url, authorization, key, body]);
    json(response, 200, request.method === 'POST' ? { key: 'K' } : null);
  });
  let key: string | null = null;
  const { session } = client(url, { token: null, sessionKey: () => key });
  key = (await session.open('T', true)).key;
  await session.get();
  await session.end();
  await session.endAll();
  expect(seen).toEqual([
    ['POST', '/api/session', 'Bearer T', undefined, '{"persistent":true}'],
    ['GET', '/api/session', undefined, 'K', ''],
    ['DELETE', '/api/session', undefined, 'K', ''],
    ['DELETE', '/api/session/all', undefined, 'K', ''],
  ]);
});

test('a server on a unix socket is reached by http+unix', async () => {
  const socket = join(tmpdir(), `dstack-client-${process.pid}.sock`);
  const url = await listen(
    (_request, response) => json(response, 200, { server_version: 'x' }),
    socket,
  );
  expect(await client(url).server.info()).toEqual({ server_version: 'x' });
});

test.each([
  [
    400,
    { detail: [{ msg: 'no run', code: 'resource_not_exists' }] },
    errors.ResourceNotExistsError,
    'no run',
  ],
  [
    400,
    { detail: [{ msg: 'taken', code: 'resource_exists' }] },
    errors.ResourceExistsError,
    'taken',
  ],
  [400, { detail: [{ msg: 'bad', code: 'something_new' }] }, errors.BadRequestError, 'bad'],
  [401, { detail: 'Not authenticated' }, errors.UnauthorizedError, 'Not authenticated'],
  [403, { msg: 'Access denied: x', code: null }, errors.ForbiddenError, 'Access denied: x'],
  [404, { detail: { msg: 'Not found', code: null } }, errors.NotFoundError, 'Not found'],
  [405, { detail: 'Method Not Allowed' }, errors.MethodNotAllowedError, 'Method Not Allowed'],
  [
    422,
    { detail: [{ type: 'missing', loc: ['body', 'limit'], msg: 'Field required' }] },
    errors.ValidationError,
    'limit: Field required',
  ],
  [500, 'Internal Server Error', errors.ServerError, 'Internal Server Error'],
])('a %i answer becomes the error of its kind', async (status, body, Class, message) => {
  const url = await listen((_request, response) => {
    if (typeof body === 'string') response.writeHead(status).end(body);
    else json(response, status, body);
  });
  const error = await client(url)
    .server.info()
    .catch((e: unknown) => e);
  expect(error).toBeInstanceOf(Class);
  expect((error as errors.ApiError).message).toBe(message);
  expect((error as errors.ApiError).status).toBe(status);
});

test('field paths of an error are kept', async () => {
  const detail = [
    { msg: 'Invalid credentials', code: 'invalid_credentials', fields: ['creds', 'key'] },
  ];
  const url = await listen((_request, response) => json(response, 400, { detail }));
  const error = await client(url)
    .server.info()
    .catch((e: unknown) => e);
  expect((error as errors.ApiError).fields).toEqual([['creds', 'key']]);
});

test('reads are repeated when a proxy answers "unavailable", writes are not', async () => {
  let calls = 0;
  const url = await listen((_request, response) => {
    calls += 1;
    json(response, calls === 1 ? 503 : 200, { server_version: 'up' });
  });
  expect(await client(url).server.info()).toEqual({ server_version: 'up' });
  calls = 0;
  await expect(client(url).project('p').runs.stop(['r'])).rejects.toBeInstanceOf(
    errors.ServerError,
  );
  expect(calls).toBe(1);
});

test('an unreachable server is a connection error with the reason', async () => {
  const url = await listen(() => {});
  server?.close();
  const error = await client(url, { retries: 0 })
    .server.info()
    .catch((e: unknown) => e);
  expect(error).toBeInstanceOf(errors.ConnectionError);
  expect((error as errors.ConnectionError).errorCode).toBe('ECONNREFUSED');
});

test('a server that does not answer is a timeout', async () => {
  const url = await listen(() => {});
  const error = await client(url, { timeoutMs: 20 })
    .server.info()
    .catch((e: unknown) => e);
  expect(error).toBeInstanceOf(errors.TimeoutError);
});

test('a lost log stream continues at the byte where it stopped', async () => {
  const offsets: (string | null)[] = [];
  const url = await listen((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://x');
    offsets.push(searchParams.get('offset'));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const piece = (text: string, end: number) =>
      response.write(`id: ${end}\ndata: ${btoa(text)}\n\n`);
    if (offsets.length === 1) {
      piece('one ', 4);
      response.end();
    } else {
      piece('two', 7);
      response.end('event: end\ndata:\n\n');
    }
  });
  const logs = client(url).project('p').logs;
  const query = { run_name: 'r', job_submission_id: 'j' };
  let text = '';
  for await (const piece of logs.stream(query, new AbortController().signal)) {
    text += new TextDecoder().decode(piece.bytes);
  }
  expect(text).toBe('one two');
  expect(offsets).toEqual(['0', '4']);
});

test('a server that is down for a while is retried until it is back', async () => {
  let calls = 0;
  const exchange = async () => {
    calls += 1;
    if (calls < 3) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    const body = (async function* () {
      yield new TextEncoder().encode(`id: 3\ndata: ${btoa('one')}\n\nevent: end\ndata: 3\n\n`);
    })();
    return { status: 200, headers: { 'content-type': 'text/event-stream' }, body };
  };
  const logs = client('http://gone', { exchange }).project('p').logs;
  const query = { run_name: 'r', job_submission_id: 'j' };
  const pieces = [];
  for await (const { end } of logs.stream(query, new AbortController().signal)) pieces.push(end);
  expect(pieces).toEqual([3]);
});

test('a log stream starts at a time or a number of lines, and continues at a byte', async () => {
  const queries: string[] = [];
  const url = await listen((request, response) => {
    queries.push(
      new URL(request.url ?? '', 'http://x').search.replace(/^.*job_submission_id=j&/, ''),
    );
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (queries.length === 1) response.end(`id: 90\ndata: ${btoa('x')}\n\n`);
    else response.end('event: end\ndata:\n\n');
  });
  const logs = client(url).project('p').logs;
  const query = { run_name: 'r', job_submission_id: 'j', start_time: null, lines: 5 };
  for await (const { end } of logs.stream(query, new AbortController().signal))
    expect(end).toBe(90);
  expect(queries).toEqual(['lines=5', 'offset=90']);
});

test('pieces of a log have their times if these are asked for', async () => {
  const asked: (string | null)[] = [];
  const url = await listen((request, response) => {
    asked.push(new URL(request.url ?? '', 'http://x').searchParams.get('timestamps'));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`event: times\ndata: [[2,1000],[4,2000]]\n\nid: 4\ndata: ${btoa('a\nb\n')}\n\n`);
    response.end(`id: 5\ndata: ${btoa('c')}\n\nevent: end\ndata: 5\n\n`);
  });
  const { logs } = client(url).project('p');
  const timesOf = async (timestamps: boolean) => {
    const query = { run_name: 'r', job_submission_id: 'j', timestamps };
    const times = [];
    for await (const piece of logs.stream(query, new AbortController().signal)) {
      times.push(piece.times);
    }
    return times;
  };
  const [first, second] = [
    { end: 2, time: 1000 },
    { end: 4, time: 2000 },
  ];
  expect(await timesOf(true)).toEqual([[first, second], []]);
  expect(await timesOf(false)).toEqual([[], []]);
  expect(asked).toEqual(['true', null]);
});

test.each([
  ['json', 404],
  ['html', 200],
])('a server without the stream (%s) is recognised', async (type, status) => {
  const url = await listen((_request, response) => {
    response.writeHead(status, {
      'content-type': type === 'html' ? 'text/html' : 'application/json',
    });
    response.end(type === 'html' ? '<html>' : '{"detail":"Not found"}');
  });
  const logs = client(url).project('p').logs;
  const stream = logs.stream(
    { run_name: 'r', job_submission_id: 'j' },
    new AbortController().signal,
  );
  const error = await stream.next().catch((e: unknown) => e);
  expect(errors.isUnsupported(error)).toBe(true);
});

test('a run is watched by polling if the server has no stream', async () => {
  const url = await listen((request, response) => {
    if (request.method === 'GET') json(response, 404, { detail: 'Not found' });
    else json(response, 200, { status: 'done' });
  });
  const watch = client(url).project('p').runs.watch('r', new AbortController().signal, 1);
  expect((await watch.next()).value).toEqual({ status: 'done' });
  expect((await watch.next()).value).toEqual({ status: 'done' });
  await watch.return();
});

test('reading stops at once when the caller aborts', async () => {
  const url = await listen((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('event: run\ndata: {"status":"running"}\n\n');
  });
  const stop = new AbortController();
  const watch = client(url).project('p').runs.watch('r', stop.signal);
  expect((await watch.next()).value).toEqual({ status: 'running' });
  const next = watch.next();
  stop.abort();
  await expect(next).rejects.toMatchObject({ name: 'AbortError' });
});

test('uploads are multipart with the hash as file name', async () => {
  let received = '';
  const url = await listen((_request, response, body) => {
    received = body;
    json(response, 200, { id: 'i', hash: 'abc' });
  });
  await client(url).files.upload('abc', new TextEncoder().encode('content'));
  expect(received).toContain('name="file"; filename="abc"');
  expect(received).toContain('\r\n\r\ncontent\r\n--');
});

test('the client works with fetch as well', async () => {
  const url = await listen((_request, response) => json(response, 200, { server_version: 'f' }));
  expect(await client(url, { exchange: fetchExchange }).server.info()).toEqual({
    server_version: 'f',
  });
});

test('pages of a log are read to the last token', async () => {
  const url = await listen((_request, response, body) => {
    const { next_token: token } = JSON.parse(body) as { next_token: string | null };
    json(response, 200, { logs: [{ message: token ?? 'first' }], next_token: token ? null : 'n' });
  });
  const seen: string[] = [];
  const query = { run_name: 'r', job_submission_id: 'j' };
  for await (const page of client(url).project('p').logs.pages(query)) {
    seen.push(...page.map((log) => log.message));
  }
  expect(seen).toEqual(['first', 'n']);
});

test.each([
  [200, 'text/html', '<html><h1>Welcome</h1></html>'],
  [200, 'text/plain', 'pong'],
  [404, 'text/html', '<!DOCTYPE html>'],
  [501, 'text/html', '<html>'],
])(
  'a program that is not a dstack server is reported as such (status %i, %s)',
  async (...answer) => {
    const [status, type, text] = answer;
    const url = await listen((_request, response) => {
      response.writeHead(status, { 'content-type': type, server: 'nginx/1.25' });
      response.end(text);
    });
    const call = client(url).project('p').volumes.list();
    await expect(call).rejects.toBeInstanceOf(errors.NotDstackError);
    await expect(call).rejects.toMatchObject({ message: `${url} is not a dstack server`, status });
  },
);

test('the page of a proxy in front of a server is no message', async () => {
  const url = await listen((_request, response) => {
    response.writeHead(502, { 'content-type': 'text/html' });
    response.end('<html>Bad gateway</html>');
  });
  const call = client(url, { retries: 0 }).project('p').volumes.list();
  await expect(call).rejects.toMatchObject({ message: 'The server failed (status 502)' });
});
