/** Signed calls of AWS's services. No call that changes something is ever repeated here. */
import { createHash } from 'node:crypto';
import { plainText } from '@dstack/contract';
import { errorMessage } from '@dstack/contract/error-message';
import { AwsV4Signer } from 'aws4fetch';
import {
  BackendError,
  BusyError,
  CredentialsError,
  NoAnswerError,
  TurnError,
} from '../base/errors.ts';
import type { CallKind, CallLimiter } from '../base/rest-vm/call-limiter.ts';
import { type CallRefusal, portError, TimedOutError } from '../base/rest-vm/refusals.ts';
import type { AwsEndpoints, AwsService } from './endpoints.ts';
import { type AwsParameters, formOf } from './form.ts';
import { AWS_REFUSALS, isAboutClock, REHEARSED, TOO_MANY_CALLS, withCode } from './refusals.ts';
import { type XmlNode, xmlOf } from './xml.ts';

export interface AwsCredentials {
  readonly accessKey: string;
  readonly secretKey: string;
  /** Null for keys that do not expire. */
  readonly sessionToken: string | null;
}

export interface AwsCall {
  readonly service: AwsService;
  readonly region: string;
  readonly action: string;
  readonly parameters?: AwsParameters;
  /** For the limits on calls. Calls of the kind `look` may be made twice. */
  readonly kind: CallKind;
  /** Aborted before its turn, it is not sent. Once sent, it is never cut off. */
  readonly signal?: AbortSignal | undefined;
}

export interface AwsClientOptions {
  readonly credentials: () => Promise<AwsCredentials>;
  readonly endpoints: AwsEndpoints;
  /** Returns the limiter of the account for a region: AWS counts regions apart. */
  readonly limiter: (region: string) => Pick<CallLimiter, 'turn' | 'refused' | 'answered'>;
  /** Milliseconds since the epoch; signatures contain the time. */
  readonly now: () => number;
  readonly fetch?: typeof fetch;
  readonly timeoutMs?: number;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  /** Milliseconds since the epoch, by the clock of AWS; null = it is not known. */
  readonly at: number | null;
}

const TITLE = 'AWS';
const TIMEOUT_MS = 25_000;
const SHOWN_LENGTH = 200;
/** A difference of the clocks that may be why a signature is refused. */
const SKEW_MS = 240_000;
const MINUTE_MS = 60_000;

export class AwsClient {
  readonly #options: AwsClientOptions;

  constructor(options: AwsClientOptions) {
    this.#options = options;
  }

  /** The answer in XML. Throws the errors of the port. */
  async xml(call: AwsCall): Promise<XmlNode> {
    return (await this.timed(call)).answer;
  }

  /** The same, with the time of AWS: milliseconds since the epoch; null = it is not known. */
  async timed(call: AwsCall): Promise<{ readonly answer: XmlNode; readonly at: number | null }> {
    const { version } = this.#options.endpoints.of(call.service, call.region);
    const body = formOf({ Action: call.action, Version: version, ...call.parameters }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
    const { text, at } = await this.#call(call, { body, headers });
    const answer = xmlOf(text);
    // An account that seems empty would end every machine that we know.
    if (answer?.name === `${call.action}Response`) return { answer, at };
    throw new NoAnswerError(`${TITLE}: an answer to ${call.action} of an unknown form`);
  }

  /** The answer of a service that speaks JSON. */
  async json<T>(call: AwsCall): Promise<T> {
    const { target } = this.#options.endpoints.of(call.service, call.region);
    const body = JSON.stringify(call.parameters ?? {});
    const headers = {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `${target}.${call.action}`,
    };
    const { text } = await this.#call(call, { body, headers });
    const answer = jsonOf(text);
    if (answer !== null) return answer as T;
    throw new NoAnswerError(`${TITLE}: an answer to ${call.action} of an unknown form`);
  }

  /** Whether the credentials allow a call of EC2, without making it. Throws if it is refused. */
  async rehearse(call: Omit<AwsCall, 'service' | 'kind'>): Promise<void> {
    const parameters = { ...call.parameters, DryRun: true };
    try {
      await this.xml({ ...call, service: 'ec2', kind: 'look', parameters });
    } catch (error) {
      if (!(error instanceof RehearsedError)) throw error;
    }
  }

  async #call(call: AwsCall, request: SentRequest): Promise<Answer> {
    const first = await this.#inTurn(call, request);
    const isRepeated = call.kind === 'look' && isTooMany(refusalOf(first));
    const answer = isRepeated ? await this.#inTurn(call, request) : first;
    if (answer.status < 300) return answer;
    throw this.#errorOf(answer);
  }

  async #inTurn(call: AwsCall, request: SentRequest): Promise<Answer> {
    const { kind, signal, region } = call;
    const limiter = this.#options.limiter(region);
    await limiter.turn(kind, signal).catch((error: unknown) => {
      throw signal?.aborted ? notSent() : error;
    });
    const answer = await this.#fetched(call, request);
    if (answer.status >= 300 && isTooMany(refusalOf(answer))) limiter.refused(null);
    else limiter.answered();
    return answer;
  }

  async #fetched(call: AwsCall, request: SentRequest): Promise<Answer> {
    const { fetch: send = fetch, timeoutMs = TIMEOUT_MS } = this.#options;
    const { url, headers } = await this.#signed(call, request);
    // The identity of the server may have been asked for first.
    if (call.signal?.aborted) throw notSent();
    try {
      const response = await send(url, {
        ...{ method: 'POST', headers, body: request.body },
        // Credentials go to no other address.
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      const at = Date.parse(response.headers.get('date') ?? '');
      const text = await response.text();
      return { status: response.status, text, at: Number.isNaN(at) ? null : at };
    } catch (error) {
      const isLate = error instanceof Error && error.name === 'TimeoutError';
      const text = `${TITLE}: no answer to ${call.action} in ${call.region}: ${causeOf(error)}`;
      throw new (isLate ? TimedOutError : NoAnswerError)(text, { cause: error });
    }
  }

  async #signed({ service, region }: AwsCall, { body, headers }: SentRequest) {
    const { endpoints, credentials, now } = this.#options;
    const { url, scope } = endpoints.of(service, region);
    const { accessKey, secretKey, sessionToken } = await credentials();
    try {
      const signer = new AwsV4Signer({
        ...{ method: 'POST', url, body, service, region: scope },
        ...{ accessKeyId: accessKey, secretAccessKey: secretKey },
        ...(sessionToken !== null && { sessionToken }),
        datetime: new Date(now()).toISOString().replace(/[:-]|\.\d{3}/g, ''),
        // Proxies and test beds encode a body anew; its own hash is what was signed.
        headers: { ...headers, 'x-amz-content-sha256': sha256(body) },
      });
      return await signer.sign();
    } catch {
      // Without the value: the message of the runtime would show the key.
      throw new CredentialsError(
        `${TITLE}: the key contains characters that no key has, such as a line break; enter it again`,
      );
    }
  }

  #errorOf(answer: Answer): BackendError {
    const refusal = refusalOf(answer);
    // All refusals of AWS have one: a proxy's "404" must not mean that a machine or a volume is missing.
    if (refusal.code === null) return new NoAnswerError(`${TITLE}: ${refusal.text}`);
    if (refusal.code === REHEARSED) return new RehearsedError(refusal.text);
    const error = withCode(portError(TITLE, refusal, AWS_REFUSALS), refusal.code);
    const skewMs = answer.at === null ? 0 : this.#options.now() - answer.at;
    const isSkewed = error instanceof CredentialsError && Math.abs(skewMs) > SKEW_MS;
    if (!isSkewed && !isAboutClock(refusal.code, refusal.text)) return error;
    // The key may be right: it is tried again when the clock is.
    const clock = clockText(answer.at, skewMs);
    return new BusyError(`${TITLE}: ${refusal.text} (${clock})`);
  }
}

function notSent(): TurnError {
  return new TurnError(`${TITLE}: not sent, because its caller has given up`);
}

interface SentRequest {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The rehearsed call would have been carried out. */
class RehearsedError extends BackendError {
  override name = 'RehearsedError';
}

function clockText(at: number | null, skewMs: number): string {
  if (at === null) return 'the clock of the server is wrong: set it';
  const minutes = Math.round(Math.abs(skewMs) / MINUTE_MS);
  const side = skewMs > 0 ? 'ahead of' : 'behind';
  const date = new Date(at).toISOString();
  return `the clock of the server is ${minutes} minutes ${side} that of AWS, where it is ${date}: set it`;
}

const isTooMany = ({ code }: CallRefusal): boolean => TOO_MANY_CALLS.has(code ?? '');

/** EC2, IAM and STS have `Error` with `Code` and `Message`; services in JSON `__type` and `message`. */
function refusalOf({ status, text }: Answer): CallRefusal {
  const root = xmlOf(text);
  const error = root?.at('Errors', 'Error').name ? root.at('Errors', 'Error') : root?.at('Error');
  const code = error?.text('Code') ?? null;
  if (error && code !== null)
    return { status, code, text: plainText(error.text('Message') ?? code) };
  const json = jsonOf(text);
  const type = typeof json?.__type === 'string' ? json.__type.split('#').at(-1) : undefined;
  if (type !== undefined) {
    return { status, code: type, text: plainText(String(json?.message ?? json?.Message ?? type)) };
  }
  const shown = plainText(text).trim().slice(0, SHOWN_LENGTH);
  return { status, code: null, text: `HTTP ${status}${shown === '' ? '' : `: ${shown}`}` };
}

function jsonOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? (value as Readonly<Record<string, unknown>>) : null;
  } catch {
    // Another form.
    return null;
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** `fetch` names the reason only in the cause. */
function causeOf(error: unknown): string {
  const { cause } = error as { readonly cause?: unknown };
  return errorMessage(cause instanceof Error && cause.message !== '' ? cause : error);
}
