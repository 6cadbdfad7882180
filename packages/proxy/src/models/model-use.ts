/** Reads what requests to the address of a service have used of its model. */
import type { IncomingMessage } from 'node:http';
import type { CallerAccount } from '../callers/callers.ts';
import type { AdmittedRequest } from '../requests/admitted-request.ts';
import { isUseOfModel } from './model-paths.ts';
import { answerMeter, streamMeter, type Tokens, type UsageMeter } from './usage-meter.ts';

export interface ServiceModelUse {
  readonly projectName: string;
  readonly userName: string;
  /** Null: this process knows names only, as a gateway does. */
  readonly account: CallerAccount | null;
  readonly model: string;
  readonly tokens: Tokens;
  /** Milliseconds from the request to the first part of a streamed answer; null = it was not streamed. */
  readonly firstMs: number | null;
  /** The client did not receive the whole answer. */
  readonly isAborted: boolean;
}

/** Resolves once the use is durable; never rejects. */
export type OnModelUse = (use: ServiceModelUse) => Promise<void>;

/** Reads an answer while it passes. */
export interface AnswerTap {
  /** Only answers that a model has given are read. */
  begin(status: number, contentType: string): void;
  /** An answer with a known end must not be complete at the client before `report`. */
  readonly isWhole: boolean;
  push(chunk: Buffer): void;
  /** The end of a stream was read, and not reported yet: the client may disconnect once it has it. */
  readonly isEnding: boolean;
  /** Does nothing the second time, or without an answer of a model. */
  report(isAborted: boolean): Promise<void>;
}

/** Null: the request is not for the model of the service, or has no caller. */
export function modelTap(
  { route, target, caller }: AdmittedRequest,
  { method }: Pick<IncomingMessage, 'method'>,
  onUse: OnModelUse,
): AnswerTap | null {
  const { model, projectName } = route;
  if (model === null || caller === null || method !== 'POST') return null;
  if (!isUseOfModel(target.rest, model.prefix)) return null;
  const { name: userName, account = null } = caller;
  return new ModelTap(async (used) => {
    await onUse({ projectName, userName, account, model: model.name, ...used });
  });
}

type Used = Pick<ServiceModelUse, 'tokens' | 'firstMs' | 'isAborted'>;

class ModelTap implements AnswerTap {
  readonly #report: (used: Used) => Promise<void>;
  readonly #begunAt = performance.now();
  #firstMs: number | null = null;
  #meter: UsageMeter | null = null;
  #isStream = false;
  #isReported = false;

  constructor(report: (used: Used) => Promise<void>) {
    this.#report = report;
  }

  get isWhole(): boolean {
    return this.#meter !== null && !this.#isStream;
  }

  get isEnding(): boolean {
    return this.#meter?.isDone === true && !this.#isReported;
  }

  begin(status: number, contentType: string): void {
    if (status < 200 || status >= 300) return;
    this.#isStream = /^text\/event-stream/i.test(contentType);
    this.#meter = this.#isStream ? streamMeter(false) : answerMeter();
  }

  push(chunk: Buffer): void {
    if (this.#isStream) this.#firstMs ??= performance.now() - this.#begunAt;
    this.#meter?.push(chunk);
  }

  async report(isAborted: boolean): Promise<void> {
    const meter = this.#meter;
    if (meter === null || this.#isReported) return;
    this.#isReported = true;
    meter.flush();
    await this.#report({ tokens: meter.tokens, firstMs: this.#firstMs, isAborted });
  }
}
