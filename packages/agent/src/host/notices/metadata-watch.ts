/**
 * Asks the provider's metadata service again and again whether the provider takes the machine back, where and
 * how the server has asked for it. A notice is final: once one was found, its source is asked no more.
 */
import type { AgentFrame, NoticeSource, NoticeWatch } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import type { EventLogger } from '../log.ts';
import { askMetadata, type MetadataAnswer, type MetadataCall } from './ask-metadata.ts';
import { noticeIn } from './notice-in.ts';

export type NoticeFrame = AgentFrame & { readonly type: 'notice' };

export interface MetadataWatchOptions {
  readonly onNotice: (frame: NoticeFrame) => void;
  readonly log: EventLogger;
  readonly ask?: (call: MetadataCall) => Promise<MetadataAnswer>;
  /** Milliseconds of a clock that no step moves. */
  readonly monotonic?: () => number;
  /** Milliseconds since the epoch. */
  readonly wall?: () => number;
}

interface Known {
  readonly reason: string;
  readonly at: string | null;
  /** By the monotonic clock. */
  readonly endsAt: number;
}

const UNAUTHORIZED = 401;
const OK = 200;
const LONGEST_TOKEN = 1024;

export class MetadataWatch {
  readonly #options: MetadataWatchOptions;
  #watched = '';
  #asked: AbortController | null = null;
  #known: Known | null = null;

  constructor(options: MetadataWatchOptions) {
    this.#options = options;
  }

  /** The server sends what to watch. */
  watch({ sources }: NoticeWatch): void {
    const watched = JSON.stringify(sources);
    if (watched === this.#watched) return;
    this.close();
    this.#watched = watched;
    const asked = new AbortController();
    this.#asked = asked;
    for (const source of sources) void this.#follow(source, asked.signal);
  }

  /** The earliest end that the provider has announced, with the time that is left now. */
  get frame(): NoticeFrame | null {
    if (this.#known === null) return null;
    const { reason, at, endsAt } = this.#known;
    const left_secs = Math.max(0, endsAt - this.#monotonic()) / 1000;
    return { type: 'notice', reason, at, left_secs };
  }

  close(): void {
    this.#asked?.abort();
    this.#asked = null;
    this.#watched = '';
  }

  async #follow(source: NoticeSource, over: AbortSignal): Promise<void> {
    const { log, wall = Date.now } = this.#options;
    let token: string | null = null;
    let problem: string | null = null;
    while (!over.aborted) {
      const asked = this.#monotonic();
      try {
        token ??= await this.#token(source);
        const answer = await this.#ask(source, token);
        if (answer.status === UNAUTHORIZED) token = null;
        const found = over.aborted ? null : noticeIn(answer, source, wall());
        problem = null;
        if (found !== null) {
          this.#found({ ...found, endsAt: asked + found.leftSecs * 1000 });
          return;
        }
      } catch (error) {
        const text = errorMessage(error);
        if (text !== problem) log.info('metadata not read', { url: source.url, error: text });
        problem = text;
        token = null;
      }
      await passed(source.interval_secs * 1000, over);
    }
  }

  async #token({ token }: NoticeSource): Promise<string | null> {
    if (token === null) return null;
    const { status, text } = await this.#call({ ...token, method: 'PUT' });
    if (status === OK && text.length <= LONGEST_TOKEN && /^[!-~]+$/.test(text.trim())) {
      return text.trim();
    }
    throw new Error(`no token: status ${status}`);
  }

  #ask({ url, headers, token }: NoticeSource, value: string | null): Promise<MetadataAnswer> {
    const own = token !== null && value !== null ? { [token.header]: value } : {};
    return this.#call({ url, method: 'GET', headers: { ...headers, ...own } });
  }

  #call({ url, method, headers }: MetadataCall): Promise<MetadataAnswer> {
    const { ask = askMetadata } = this.#options;
    return ask({ url, method, headers });
  }

  #found({ reason, at, endsAt }: Known): void {
    const { log, onNotice } = this.#options;
    log.info('the provider takes the machine back', { reason, at });
    if (this.#known !== null && this.#known.endsAt <= endsAt) return;
    this.#known = { reason, at, endsAt };
    const { frame } = this;
    if (frame !== null) onNotice(frame);
  }

  #monotonic(): number {
    const { monotonic = () => performance.now() } = this.#options;
    return monotonic();
  }
}

function passed(ms: number, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      over.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms).unref();
    over.addEventListener('abort', end, { once: true });
  });
}
