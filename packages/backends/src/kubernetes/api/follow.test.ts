import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BusyError, CredentialsError, NoAnswerError, NoCapacityError } from '../../base/errors.ts';
import { ApiError, KubeClient } from './client.ts';
import { Follow } from './follow.ts';
import { readKubeconfig } from './kubeconfig.ts';
import type { KubeObject } from './objects.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** An API server whose answers are a script, one per request; the last one repeats. */
let server: Server;
let client: KubeClient;
let answers: Answer[];
let asked: URL[];

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    asked.push(new URL(request.url ?? '', 'http://api'));
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const file = {
    clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'u', user: { token: 'secret' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  };
  client = new KubeClient(readKubeconfig(JSON.stringify(file)).context('c'));
});
afterEach(() => {
  client.close();
  server.closeAllConnections();
  server.close();
});

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (_request, response) => {
    response.writeHead(status, headers).end(JSON.stringify(body));
  };
const object = (name: string, version: string) => ({
  metadata: { name, resourceVersion: version },
});
const list = (version: string, ...names: string[]): Answer =>
  json(200, {
    metadata: { resourceVersion: version },
    items: names.map((name) => object(name, version)),
  });
/** A watch with these lines that stays open, or ends. */
const watch =
  (lines: readonly object[], ends: boolean): Answer =>
  (_request, response) => {
    for (const line of lines) response.write(`${JSON.stringify(line)}\n`);
    if (ends) response.end();
    else response.flushHeaders();
  };

describe('a followed list', () => {
  it('keeps up with the watch, and lists again when the version has expired', async () => {
    const seen: string[] = [];
    const complete = Promise.withResolvers<void>();
    answers = [
      list('1', 'a', 'b'),
      watch(
        [
          { type: 'ADDED', object: object('c', '2') },
          { type: 'DELETED', object: object('a', '3') },
          { type: 'ERROR', object: { code: 410, metadata: {} } },
        ],
        true,
      ),
      list('9', 'c', 'd'),
      watch([], false),
    ];
    const follow = new Follow<KubeObject, string>({
      ...{ client, path: '/api/v1/pods', keep: ({ metadata }) => metadata.name },
      onChange: (id, now) => {
        seen.push(`${now === null ? '-' : '+'}${id}`);
        if (id === 'd') complete.resolve();
      },
    });
    await complete.promise;
    expect(seen).toEqual(['+a', '+b', '+c', '-a', '-b', '+c', '+d']);
    expect([...follow.items.keys()]).toEqual(['c', 'd']);
    expect(follow.error).toBeNull();
    expect(asked[1]?.searchParams.get('resourceVersion')).toBe('1');
    follow.close();
  });

  it('reports why it is out of date, and recovers by itself', async () => {
    const complete = Promise.withResolvers<void>();
    answers = [json(500, { message: 'etcd is down' }), list('1', 'a'), watch([], false)];
    const follow = new Follow<KubeObject, string>({
      ...{ client, path: '/api/v1/nodes', keep: ({ metadata }) => metadata.name },
      onChange: () => complete.resolve(),
    });
    await expect(follow.ready()).rejects.toThrow('etcd is down');
    await complete.promise;
    expect([...follow.items.values()]).toEqual(['a']);
    follow.close();
  });
});

describe('a refused request', () => {
  const call = () => client.call({ path: '/api/v1/pods' });

  it('is repeated when the API server asks for that, once', async () => {
    answers = [json(429, {}, { 'retry-after': '0.01' }), json(200, { ok: true })];
    expect(await call()).toEqual({ ok: true });
    answers = [json(429, { message: 'too many' }, { 'retry-after': '0.01' })];
    await expect(call()).rejects.toThrow(BusyError);
  });

  it('is repeated when another writer was faster, and an object that exists is not', async () => {
    const race = json(409, { reason: 'Conflict', message: 'the object has been modified' });
    answers = [race, race, json(201, { ok: true })];
    expect(await call()).toEqual({ ok: true });
    answers = Array.from({ length: 6 }, () => race);
    await expect(call()).rejects.toThrow(BusyError);
    answers = [json(409, { reason: 'AlreadyExists', message: 'exists' }), json(200, {})];
    await expect(call()).rejects.toThrow(ApiError);
    expect(answers).toHaveLength(1);
  });

  it.each([
    [401, 'Unauthorized', CredentialsError, 'does not accept the user'],
    [403, 'pods is forbidden: exceeded quota: gpus', NoCapacityError, 'exceeded quota: gpus'],
    [403, 'User "x" cannot list resource "pods"', ApiError, 'cannot list resource "pods"'],
    [409, 'already exists', ApiError, 'already exists'],
    [503, 'shutting down', BusyError, 'shutting down'],
  ])('with status %i is the error of that cause', async (status, message, type, text) => {
    answers = [json(status, { message })];
    const error = await call().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toContain(text);
  });

  it('without an answer is in doubt', async () => {
    answers = [(request) => request.socket.destroy()];
    await expect(call()).rejects.toThrow(NoAnswerError);
  });
});
