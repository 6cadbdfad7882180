/** Requests to servers of Git LFS, through the same proxy as those of git. */
import { existsSync, readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { getCACertificates } from 'node:tls';

export interface LfsRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Null: a GET. */
  readonly body: string | null;
}

const MOST_REDIRECTS = 5;
/** Without a byte, in milliseconds; a forge may have to fetch the file first. */
const IDLE_MS = 300_000;

export class LfsHttp {
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;
  readonly #signal: AbortSignal;

  /** `env`: the variables of git, which name proxies and certificates. */
  constructor(env: NodeJS.ProcessEnv, signal: AbortSignal) {
    const options = { keepAlive: true, maxSockets: 8, proxyEnv: proxies(env) };
    this.#http = new HttpAgent(options);
    this.#https = new HttpsAgent({ ...options, ca: authorities(env) });
    this.#signal = signal;
  }

  /** Follows redirects and returns the last answer. Headers with credentials stay with their origin. */
  async send(request: LfsRequest): Promise<IncomingMessage> {
    let next = request;
    for (let redirects = 0; ; redirects += 1) {
      const answer = await this.#once(next);
      const { location } = answer.headers;
      if (![301, 302, 303, 307, 308].includes(answer.statusCode ?? 0) || !location) return answer;
      answer.resume();
      const from = new URL(next.url);
      const to = URL.parse(location, from.href);
      if (!to || redirects >= MOST_REDIRECTS) throw new Error(`${from.host} redirects without end`);
      const headers = to.origin === from.origin ? next.headers : withoutLogin(next.headers);
      next = { ...next, url: to.href, headers };
    }
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #once({ url, headers, body }: LfsRequest): Promise<IncomingMessage> {
    const parsed = URL.parse(url);
    if (parsed?.protocol !== 'https:' && parsed?.protocol !== 'http:') {
      const shown = url.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 300);
      throw new Error(`${shown} is not an address of https or http`);
    }
    const options = { method: body === null ? 'GET' : 'POST', headers, signal: this.#signal };
    return new Promise((resolve, reject) => {
      const sent =
        parsed.protocol === 'https:'
          ? httpsRequest(parsed, { ...options, agent: this.#https })
          : httpRequest(parsed, { ...options, agent: this.#http });
      sent.setTimeout(IDLE_MS, () => sent.destroy(new Error(`${parsed.host} does not answer`)));
      sent.on('error', reject);
      sent.on('response', resolve);
      sent.end(body ?? undefined);
    });
  }
}

function withoutLogin(headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => /^(accept|content-type)$/i.test(name));
  return Object.fromEntries(kept);
}

function proxies(env: NodeJS.ProcessEnv): Record<string, string | undefined> {
  const of = (name: string) => env[name] || env[name.toUpperCase()] || undefined;
  const all = of('all_proxy');
  return {
    http_proxy: of('http_proxy') ?? all,
    https_proxy: of('https_proxy') ?? all,
    no_proxy: of('no_proxy'),
  };
}

/** Git trusts the authorities of the system, and those that the operator names. */
function authorities(env: NodeJS.ProcessEnv): string[] {
  const file = env.GIT_SSL_CAINFO || env.SSL_CERT_FILE;
  const own = file && existsSync(file) ? [readFileSync(file, 'utf8')] : [];
  return [...own, ...getCACertificates('default'), ...getCACertificates('system')];
}
