/** Services with host names of their own, and the browsers of their visitors, for tests. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { hostLabel, parseOriginPattern } from '@dstack/proxy';
import { WebSocket } from 'ws';
import { ProxiedServices } from './proxied-services.ts';

export const URL_OF_SERVER = 'http://dstack.test';
export const DOMAIN = 'apps.test';

export type Headers = Readonly<Record<string, string>>;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A browser in which a user is signed in to the web UI. */
export interface Browser {
  readonly key: string;
  readonly cookie: string;
}

export interface Handover {
  /** The page of the web UI to which the service sends its visitor. */
  readonly page: URL;
  /** The cookie of the service before the sign-in. */
  readonly state: string;
  /** The address with the code. */
  readonly url: URL;
}

/** The services `app` and `other`, whose callers must be members, and `open`. */
export class HostedApps {
  readonly proxy: ProxiedServices;
  readonly #hosts: ReadonlyMap<string, string>;

  private constructor(proxy: ProxiedServices, hosts: ReadonlyMap<string, string>) {
    this.proxy = proxy;
    this.#hosts = hosts;
  }

  static async start(): Promise<HostedApps> {
    const serviceOrigins = parseOriginPattern(`http://*.${DOMAIN}`);
    const proxy = await ProxiedServices.start({ serviceOrigins, url: URL_OF_SERVER });
    const hosts = new Map<string, string>();
    for (const name of ['app', 'other', 'open']) {
      const { id } = await proxy.service(name, { auth: name !== 'open' });
      hosts.set(name, `${hostLabel({ id, name })}.${DOMAIN}`);
    }
    return new HostedApps(proxy, hosts);
  }

  close(): Promise<void> {
    return this.proxy.close();
  }

  host(name: string): string {
    return this.#hosts.get(name) ?? '';
  }

  bearer(token = this.proxy.server.token): Headers {
    return { authorization: `Bearer ${token}` };
  }

  async send(to: string, path: string, headers: Headers = {}, method = 'GET'): Promise<Answer> {
    const given = { host: to, ...headers };
    const outgoing = request(`${this.proxy.url}/`, { method, path, headers: given });
    outgoing.end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    const { statusCode: status = 0 } = response;
    return { status, headers: response.headers, body: await text(response) };
  }

  /** The headers that the app has received, by their names in lower case. */
  async seen(to: string, headers: Headers, url = '/echo'): Promise<Headers> {
    const { body } = await this.send(to, url, headers);
    const raw = JSON.parse(body).headers as string[];
    return Object.fromEntries(
      raw.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), raw[i + 1] ?? '']] : [])),
    );
  }

  socket(to: string, path: string, headers: Headers): WebSocket {
    const url = `${this.proxy.url.replace('http', 'ws')}${path}`;
    return new WebSocket(url, { headers: { host: to, ...headers } });
  }

  /** A person opens the address. */
  open(to: string, path: string, cookie?: string): Promise<Answer> {
    return this.send(to, path, { accept: 'text/html,*/*', ...(cookie && { cookie }) });
  }

  /** Signs in to the web UI. */
  async browser(token = this.proxy.server.token): Promise<Browser> {
    const { body, headers } = await this.proxy.server.call('/api/session', {}, { token });
    return { key: body.key, cookie: cookieOf(headers['set-cookie']) };
  }

  /** The headers of a page of the web UI. */
  page({ key, cookie }: Browser): Headers {
    return { cookie, 'x-dstack-session': key, origin: URL_OF_SERVER, host: 'dstack.test' };
  }

  /** Requests the code for an address, as the page of the web UI does when it is opened there. */
  issue(browser: Browser, at: URL) {
    const { host, state, path } = Object.fromEntries(at.searchParams);
    const body = { host, state, path };
    const headers = this.page(browser);
    return this.proxy.server.call('/api/services/sign_in', body, { token: null, headers });
  }

  /** Everything up to the address with the code. */
  async handover(browser: Browser, to = this.host('app')): Promise<Handover> {
    const asked = await this.open(to, '/start?x=1');
    const page = new URL(String(asked.headers.location));
    const { body } = await this.issue(browser, page);
    return { page, state: cookieOf(asked.headers['set-cookie']), url: new URL(body.url) };
  }

  use({ state, url }: Handover, cookie = state, to = url.hostname): Promise<Answer> {
    return this.open(to, url.pathname + url.search, cookie);
  }

  /** The cookie of a browser that has signed in at the service. */
  async signedIn(browser: Browser, to = this.host('app')): Promise<string> {
    const done = await this.use(await this.handover(browser, to));
    return cookieOf(done.headers['set-cookie']);
  }

  /** A new user; returns their token. */
  async user(username: string, isMember: boolean): Promise<string> {
    const { call } = this.proxy.server;
    await call('/api/users/create', { username, global_role: 'user' });
    const { body } = await call('/api/users/get_user', { username });
    const members = [{ username, project_role: 'user' }];
    if (isMember) await call('/api/projects/main/add_members', { members });
    return body.creds.token;
  }
}

/** Returns the header that a browser sends, without the cookies that are removed. */
export function cookieOf(header: unknown): string {
  const all = [header].flat() as string[];
  return all
    .map((one) => one.split(';')[0] ?? '')
    .filter((pair) => !pair.endsWith('='))
    .join('; ');
}
