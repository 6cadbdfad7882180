import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunChanges } from '../../loops/run-changes.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { streamRoutes } from './routes.ts';

let server: TestServer;
let url: string;

beforeAll(async () => {
  server = await startTestServer();
  streamRoutes(server.app, {
    ...server.deps,
    logStore: server.logs,
    changes: new RunChanges(),
  });
  await server.call('/api/projects/create', { project_name: 'other' });
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(server.app.server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

interface Message {
  readonly id: string;
  readonly data: { readonly message: string; readonly targets: readonly { name: string }[] };
}

async function open(query = '', headers: Record<string, string> = {}) {
  const disconnected = new AbortController();
  const response = await fetch(`${url}/api/project/main/events/stream${query}`, {
    headers: { authorization: `Bearer ${server.token}`, ...headers },
    signal: disconnected.signal,
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    response,
    async next(): Promise<Message> {
      while (!text.includes('\n\n')) text += (await reader?.read())?.value ?? '';
      const end = text.indexOf('\n\n');
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
      return { id: field('id'), data: JSON.parse(field('data')) };
    },
    close: () => disconnected.abort(),
  };
}

const secret = (name: string, project = 'main') =>
  server.call(`/api/project/${project}/secrets/create_or_update`, { name, value: 'v' });

const targetOf = ({ data }: Message) => data.targets[0]?.name;

describe('the stream of events', () => {
  it('sends new events of this project only', async () => {
    await secret('before');
    const stream = await open();
    expect(stream.response.headers.get('content-type')).toBe('text/event-stream');
    expect(stream.response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    await secret('elsewhere', 'other');
    await secret('first');
    await secret('second');
    expect(targetOf(await stream.next())).toBe('first');
    expect(targetOf(await stream.next())).toBe('second');
    stream.close();
  });

  it('continues after the last event that the client received', async () => {
    const stream = await open();
    await secret('one');
    const { id } = await stream.next();
    stream.close();
    await secret('two');
    await secret('three');
    const again = await open('', { 'last-event-id': id });
    expect(targetOf(await again.next())).toBe('two');
    expect(targetOf(await again.next())).toBe('three');
    again.close();
  });

  it('has the filters of the list', async () => {
    const { body } = await secret('wanted');
    const stream = await open(`?target_secrets=${body.id}`);
    await secret('unwanted');
    await server.call('/api/project/main/secrets/delete', { secrets_names: ['wanted'] });
    const { data } = await stream.next();
    expect([data.message, data.targets[0]?.name]).toEqual(['Secret deleted', 'wanted']);
    stream.close();
  });

  it('sends everything since a time, also more than one page', async () => {
    for (let i = 0; i < 120; i++) await secret(`many-${i}`);
    const stream = await open('?prev_recorded_at=2026-01-01T00:00:00Z&include_target_types=secret');
    const names: string[] = [];
    while (names.at(-1) !== 'many-119') names.push(targetOf(await stream.next()) ?? '');
    const many = names.filter((name) => name.startsWith('many-'));
    expect([many.length, new Set(many).size]).toEqual([120, 120]);
    stream.close();
  });

  it.each([
    ['?target_runs=nonsense', {}, 422],
    ['?nosuch=1', {}, 422],
    ['', { 'last-event-id': 'nonsense' }, 400],
    ['', { authorization: 'Bearer wrong' }, 403],
  ])('is refused for %j %j', async (query, headers, status) => {
    const { response } = await open(query, headers as Record<string, string>);
    expect(response.status).toBe(status);
  });
});
