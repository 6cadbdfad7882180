import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import type { HttpSettings } from '../ports.ts';
import { AppSignals, ReplicaApp } from './replica-app.ts';
import { insertInstances, openHere, serveAt, submitService } from './services.ts';
import { startTestServer, type TestServer } from './test-server.ts';

/** A listening server with two apps, `one` and `two`, which are the replicas of the service `web`. */
export class ProxiedServices {
  readonly server: TestServer;
  readonly url: string;
  readonly instances: readonly string[];
  readonly apps: readonly ReplicaApp[];
  readonly signals: AppSignals;
  readonly #refusals: { count: number };

  private constructor(
    server: TestServer,
    instances: readonly string[],
    apps: readonly ReplicaApp[],
    signals: AppSignals,
    refusals: { count: number },
  ) {
    this.server = server;
    this.url = `http://127.0.0.1:${(server.app.server.address() as AddressInfo).port}`;
    this.instances = instances;
    this.apps = apps;
    this.signals = signals;
    this.#refusals = refusals;
  }

  /** `more`: adds routes before the server listens. */
  static async start(
    settings: Partial<HttpSettings> = {},
    more: (server: TestServer) => void = () => {},
  ): Promise<ProxiedServices> {
    const refusals = { count: 0 };
    const server = await startTestServer(settings, {}, (to) =>
      openHere(to).catch((error) => {
        refusals.count += 1;
        throw error;
      }),
    );
    more(server);
    await server.app.listen({ host: '127.0.0.1', port: 0 });
    const signals = new AppSignals();
    const apps = [await ReplicaApp.start('one', signals), await ReplicaApp.start('two', signals)];
    const instances = await insertInstances(server, 3);
    const services = new ProxiedServices(server, instances, apps, signals, refusals);
    await services.service('web');
    return services;
  }

  /** Connections that apps' ports have refused so far. */
  get refused(): number {
    return this.#refusals.count;
  }

  /** A running service at the given apps; unused ports are replicas that have exited. */
  async service(name: string, more: object = {}, ports?: (number | null)[]) {
    const at = ports ?? this.apps.map((app) => app.port);
    const { id } = await submitService(this.server, name, { replicas: at.length, ...more });
    const jobs = await serveAt(this.server, id, at, this.instances);
    return { id, jobs };
  }

  /** Sends requests as the admin by default. */
  get(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}/proxy/services/main/${path}`, {
      redirect: 'manual',
      ...init,
      headers: { ...this.#bearer, ...init.headers },
    });
  }

  /** The whole path is sent unchanged: `fetch` would normalise it. */
  async raw(path: string, headers: Record<string, string> = {}, method = 'GET', body = '') {
    const outgoing = request(`${this.url}/`, {
      ...{ method, path },
      headers: { ...this.#bearer, ...headers },
    });
    outgoing.end(body);
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { response, body: await text(response) };
  }

  /** A WebSocket for a path of a service after its project's name. */
  socket(path: string, headers: Record<string, string> = {}): WebSocket {
    const address = `${this.url.replace('http', 'ws')}/proxy/services/${path}`;
    return new WebSocket(address, { headers: { ...this.#bearer, ...headers } });
  }

  async close(): Promise<void> {
    await this.server.close();
    for (const app of this.apps) app.close();
  }

  get #bearer(): Record<string, string> {
    return { authorization: `Bearer ${this.server.token}` };
  }
}

// biome-ignore lint/suspicious/noExplicitAny: tests look at parts of what the app has seen
export const json = async (answer: Response): Promise<any> => await answer.json();

/** A port without a listener. */
export async function closedPort(): Promise<number> {
  const unused = createServer().listen(0, '127.0.0.1');
  await once(unused, 'listening');
  const { port } = unused.address() as AddressInfo;
  unused.close();
  await once(unused, 'close');
  return port;
}
