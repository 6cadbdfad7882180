import type { AddressInfo } from 'node:net';
import type { ChangeType } from '@dstack/contract/wire';
import { expect } from 'vitest';
import { ChangeHub } from '../../changes/change-hub.ts';
import { MessageRing } from '../../changes/message-ring.ts';
import { RunChanges } from '../../loops/run-changes.ts';
import { changeRoute } from '../streams/change-route.ts';
import { loadMessages } from '../streams/load-messages.ts';
import { startTestServer, type TestServer } from './test-server.ts';

interface Received {
  readonly event: string;
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at parts of messages of every shape
  readonly data: any;
}

/** The first message of a stream that does not continue another one. */
const READY = { event: 'ready', data: { resumed: false } };
export const reset = (reason: string) => ({ event: 'reset', data: { reason } });

/** A server with `/api/stream` and the calls that change something. */
export class StreamWorld {
  readonly server: TestServer;
  readonly hub: ChangeHub;
  /** How often messages were read from the store. */
  loads = 0;
  readonly #streams: ChangeStream[] = [];

  private constructor(server: TestServer, most?: { messages: number; characters: number }) {
    this.server = server;
    const { store } = server;
    this.hub = new ChangeHub({
      changes: store.changes,
      load: (changes) => {
        this.loads += 1;
        return loadMessages(store, changes, {
          now: server.deps.context().now,
          entry: null,
          origins: null,
        });
      },
      log: server.deps.log,
      ring: new MessageRing('test', most),
    });
    const { hub } = this;
    const deps = { ...server.deps, logStore: server.logs, changes: new RunChanges(), hub };
    changeRoute(server.app, deps);
  }

  /** `most`: the messages that are kept. */
  static async start(most?: { messages: number; characters: number }): Promise<StreamWorld> {
    const server = await startTestServer();
    const world = new StreamWorld(server, most);
    await server.app.listen({ host: '127.0.0.1', port: 0 });
    return world;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.app.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const stream of this.#streams) stream.close();
    this.hub.close();
    await this.server.close();
  }

  open(token = this.server.token, after: string | null = null, query = ''): ChangeStream {
    const stream = new ChangeStream(`${this.url}/api/stream${query}`, token, after);
    this.#streams.push(stream);
    return stream;
  }

  /** After its first message. */
  async ready(token?: string): Promise<ChangeStream> {
    const stream = this.open(token);
    expect(await stream.next()).toMatchObject(READY);
    return stream;
  }

  async api(path: string, body: unknown, token?: string) {
    const answer = await this.server.call(path, body, token === undefined ? {} : { token });
    if (answer.status !== 200) throw new Error(answer.text);
    return answer.body;
  }

  /** The token of a new user. */
  async user(username: string, project: string | null = null): Promise<string> {
    await this.api('/api/users/create', { username, global_role: 'user' });
    const members = [{ username, project_role: 'user' }];
    if (project !== null) await this.api(`/api/projects/${project}/add_members`, { members });
    return (await this.api('/api/users/get_user', { username })).creds.token;
  }

  submit(run_name: string, project = 'main') {
    const run_spec = { run_name, configuration: { type: 'task', commands: ['true'] } };
    const plan = { run_spec, current_resource: null };
    return this.api(`/api/project/${project}/runs/apply`, { plan, force: false });
  }

  secret(name: string, project = 'main') {
    const path = `/api/project/${project}/secrets/create_or_update`;
    return this.api(path, { name, value: 'v' });
  }
}

export class ChangeStream {
  lastId = '';
  readonly #left = new AbortController();
  readonly #reader: Promise<ReadableStreamDefaultReader<string> | undefined>;
  #text = '';

  constructor(url: string, token: string, after: string | null) {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(after === null ? {} : { 'last-event-id': after }),
    };
    const answer = fetch(url, { headers, signal: this.#left.signal });
    this.#reader = answer.then(({ body }) =>
      body?.pipeThrough(new TextDecoderStream()).getReader(),
    );
  }

  /** Null: the stream has ended. */
  async next(): Promise<Received | null> {
    while (!this.#text.includes('\n\n')) {
      const { value, done } = (await (await this.#reader)?.read()) ?? { done: true };
      if (done) return null;
      this.#text += value;
    }
    const end = this.#text.indexOf('\n\n');
    const lines = this.#text.slice(0, end).split('\n');
    this.#text = this.#text.slice(end + 2);
    const field = (name: string) =>
      lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
    this.lastId = field('id');
    return { event: field('event'), id: field('id'), data: JSON.parse(field('data')) };
  }

  /** The next change of this type. */
  async change(type: ChangeType): Promise<Received['data']> {
    for (;;) {
      const found = await this.next();
      if (found === null) throw new Error('the stream has ended');
      if (found.event === 'change' && found.data.type === type) return found.data;
    }
  }

  /** The next change of each of these types, whichever comes first. */
  async firstOf(types: readonly ChangeType[]): Promise<Received['data'][]> {
    const found = new Map<ChangeType, Received['data']>();
    while (!types.every((type) => found.has(type))) {
      const message = await this.next();
      if (message === null) throw new Error('the stream has ended');
      const { type } = message.data;
      if (message.event === 'change' && !found.has(type)) found.set(type, message.data);
    }
    return types.map((type) => found.get(type));
  }

  close(): void {
    this.#left.abort();
  }
}
