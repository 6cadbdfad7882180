/** Calls of a provider's JSON API over HTTPS. No call that changes something is ever repeated here. */
import { plainText } from '@dstack/contract';
import { errorMessage } from '@dstack/contract/error-message';
import { BackendError, BusyError, CredentialsError, NoAnswerError, TurnError } from '../errors.ts';
import type { CallKind, CallLimiter } from './call-limiter.ts';
import { type CallRefusal, portError, type RefusalRule, TimedOutError } from './refusals.ts';

export interface RestCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the endpoint, with its query. */
  readonly path: string;
  readonly body?: unknown;
  /** For the limits on calls. */
  readonly kind: CallKind;
  /** Aborted before its turn, it is not sent. Once sent, it is never cut off. */
  readonly signal?: AbortSignal | undefined;
}

export interface RestClientOptions {
  /** Its name for people. */
  readonly title: string;
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** Asked for before each call. What it throws is the error of the call, which is not sent then. */
  readonly headers: (
    call: RestCall,
  ) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  readonly limiter: Pick<CallLimiter, 'turn' | 'refused' | 'answered'>;
  readonly rules: readonly RefusalRule[];
  /**
   * Code and words of the provider in the body of an error; null = the body has another form. `text`: the body as it
   * came, for one that is not JSON, which is null then.
   */
  readonly refusalIn: (body: unknown, text: string) => Pick<CallRefusal, 'code' | 'text'> | null;
  readonly fetch?: typeof fetch;
  readonly timeoutMs?: number;
}

export interface TimedAnswer<T> {
  readonly body: T;
  readonly time: number | null;
  readonly headers: Pick<Headers, 'get'>;
}

const TIMEOUT_MS = 25_000;
/** Characters of a body that has another form, in the message. */
const SHOWN_LENGTH = 200;
const TOO_MANY = 429;
const MIB = 1024 * 1024;
/** The longest answer that is read: lists of ten thousand machines and all offers of the largest market are far shorter. */
const MOST_BYTES = 64 * MIB;

export class RestClient {
  readonly #options: RestClientOptions;

  constructor(options: RestClientOptions) {
    this.#options = options;
  }

  /** The body of the answer; null if it is empty. Throws the errors of the port. */
  async call<T>(call: RestCall): Promise<T> {
    return parsed<T>(await this.text(call), this.#options.title);
  }

  /** The body as it came, of an endpoint whose answer may be no JSON. */
  async text(call: RestCall): Promise<string> {
    return (await this.#answered(call)).text;
  }

  /** With the provider's time in µs (null = the answer lacks it), and the other headers of the answer. */
  async timed<T>(call: RestCall): Promise<TimedAnswer<T>> {
    const { text, headers } = await this.#answered(call);
    const ms = Date.parse(headers.get('date') ?? '');
    const time = Number.isNaN(ms) ? null : ms * 1000;
    return { body: parsed<T>(text, this.#options.title), time, headers };
  }

  async #answered(call: RestCall) {
    const { title, rules } = this.#options;
    const first = await this.#inTurn(call);
    // Others may use the account too: a look-up that was one call too many waits, and is made again.
    const isRepeated = first.status === TOO_MANY && call.method === 'GET';
    const { status, text, headers } = isRepeated ? await this.#inTurn(call) : first;
    if (status < 300) return { text, headers };
    const refusal = this.#refusalOf(status, text);
    // No provider answers its API with pages: whatever is in between has answered.
    const isPage = refusal.code === null && text.trimStart().startsWith('<');
    if (isPage && status !== TOO_MANY) throw new NoAnswerError(`${title}: ${refusal.text}`);
    throw portError(title, refusal, rules);
  }

  async #inTurn(call: RestCall) {
    const { limiter } = this.#options;
    const { kind, signal } = call;
    await limiter.turn(kind, signal).catch((error: unknown) => {
      throw signal?.aborted ? this.#notSent() : error;
    });
    const answer = await this.#fetched(call);
    if (answer.status === TOO_MANY) limiter.refused(answer.retryMs);
    else limiter.answered();
    return answer;
  }

  async #fetched(call: RestCall) {
    const { method, path, body, signal } = call;
    const { title, endpoint, headers, fetch: send = fetch } = this.#options;
    const { timeoutMs = TIMEOUT_MS } = this.#options;
    const sent = this.#headers(await headers(call), body !== undefined);
    // A token may have been asked for first.
    if (signal?.aborted) throw this.#notSent();
    try {
      const response = await send(`${endpoint}${path}`, {
        method,
        headers: sent,
        ...(body !== undefined && { body: JSON.stringify(body) }),
        // Credentials go to no other address.
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      const retryMs = retryAfter(response.headers.get('retry-after'));
      const { status, headers: answered } = response;
      return { status, retryMs, headers: answered, text: await textOf(response) };
    } catch (error) {
      const text = `${title}: no answer to ${method} ${path.split('?')[0]}: ${causeOf(error)}`;
      const isLate = error instanceof Error && error.name === 'TimeoutError';
      throw new (isLate ? TimedOutError : NoAnswerError)(text, { cause: error });
    }
  }

  #notSent(): TurnError {
    return new TurnError(`${this.#options.title}: not sent, because its caller has given up`);
  }

  /** Throws without the value: the message of the runtime would show the key. */
  #headers(own: Readonly<Record<string, string>>, hasBody: boolean): Headers {
    try {
      const type = hasBody ? { 'content-type': 'application/json' } : {};
      return new Headers({ accept: 'application/json', ...type, ...own });
    } catch {
      throw new CredentialsError(
        `${this.#options.title}: the key contains characters that no key has, such as a line break; enter it again`,
      );
    }
  }

  #refusalOf(status: number, text: string): CallRefusal {
    const found = this.#options.refusalIn(jsonOf(text), text);
    if (found) return { status, code: found.code, text: plainText(found.text) };
    const shown = plainText(text).trim().slice(0, SHOWN_LENGTH);
    return { status, code: null, text: `HTTP ${status}${shown === '' ? '' : `: ${shown}`}` };
  }
}

/** Whether a creation that ended with this error has certainly not been carried out. */
export function createsNothing(error: unknown): boolean {
  return error instanceof BackendError && !(error instanceof NoAnswerError);
}

/** Whether it is worth to repeat the order unchanged, because nothing is wrong with it. */
export function isOnlyBusy(error: unknown): boolean {
  return error instanceof BusyError;
}

/** Throws instead of reading more than fits into the memory of the server. */
async function textOf({ body }: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const part of body ?? []) {
    size += part.length;
    if (size > MOST_BYTES) throw new Error(`it is longer than ${MOST_BYTES / MIB} MiB`);
    text += decoder.decode(part, { stream: true });
  }
  return text + decoder.decode();
}

function parsed<T>(text: string, title: string): T {
  if (text.trim() === '') return null as T;
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new NoAnswerError(`${title}: an answer that is not JSON`, { cause: error });
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A page of a proxy in between.
    return null;
  }
}

/** In milliseconds; null = it is not a number of seconds. */
function retryAfter(header: string | null): number | null {
  const seconds = Number(header ?? '');
  return header !== null && header.trim() !== '' && Number.isFinite(seconds) && seconds >= 0
    ? seconds * 1000
    : null;
}

/** `fetch` names the reason only in the cause. */
function causeOf(error: unknown): string {
  const { cause } = error as { readonly cause?: unknown };
  return errorMessage(cause instanceof Error && cause.message !== '' ? cause : error);
}
