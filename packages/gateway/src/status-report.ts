import type { GatewayFrame } from '@dstack/contract/agent';
import type { ProxyLog } from '@dstack/proxy';
import type { Certificates } from './certificates/certificates.ts';
import type { StoredState } from './stored-state.ts';
import { gatewayVersion } from './version.ts';

type StatusFrame = Extract<GatewayFrame, { type: 'status' }>;
export type Status = Pick<StatusFrame, 'state' | 'text'>;

export interface StatusReportOptions {
  readonly state: Pick<StoredState, 'read' | 'write' | 'remove'>;
  readonly certificates: () => Certificates['states'];
  /** The key with which the gateway reaches replicas on other hosts. */
  readonly publicKey: string;
  /** Returns whether there is a server. */
  readonly send: (frame: StatusFrame) => boolean;
  readonly log: ProxyLog;
}

/** The state of this replica, reported to the server with each change. */
export class StatusReport {
  readonly #options: StatusReportOptions;
  #status: Status = { state: 'waiting', text: 'The gateway is being configured' };
  /** Shown while requests are answered all the same. */
  #diskProblem: string | null = null;
  #reported = '';
  /** Why nginx leaves all requests to the workers although it is to answer some; null = it is not so. */
  #notPlain: string | null = null;
  /** The same, as it was reported to the server: once, also over restarts of this program. */
  #reportedNotPlain: string | null;

  constructor(options: StatusReportOptions) {
    this.#options = options;
    this.#reportedNotPlain = options.state.read('not-plain')?.reported ?? null;
  }

  get isReady(): boolean {
    return this.#status.state === 'ready';
  }

  /** It is sent with the next `report`, like the facts below. */
  setStatus(status: Status): void {
    this.#status = status;
  }

  setDiskProblem(problem: string | null): void {
    this.#diskProblem = problem;
  }

  setNotPlain(why: string | null): void {
    const { state, log } = this.#options;
    if (why !== null && why !== this.#notPlain) log.warn(`workers answer all requests: ${why}`);
    this.#notPlain = why;
    if (why === null && this.#reportedNotPlain !== null) {
      this.#reportedNotPlain = null;
      state.remove('not-plain');
    }
  }

  /** A server that has just connected has no report. */
  connected(): void {
    this.#reported = '';
    this.report();
  }

  /** Sends the state if it has changed. */
  report(): void {
    const { state, certificates, publicKey, send } = this.#options;
    const frame = {
      ...({ type: 'status', ...this.#status, version: gatewayVersion() } as const),
      certificates: certificates(),
      text: this.#status.text ?? this.#diskProblem,
      public_key: publicKey,
    };
    const news = this.#newNotPlain;
    const text = JSON.stringify(frame);
    if (text === this.#reported && news === null) return;
    if (!send({ ...frame, ...(news !== null && { not_plain: news }) })) return;
    this.#reported = text;
    if (news === null) return;
    this.#reportedNotPlain = news;
    state.write('not-plain', { reported: news });
  }

  /** The reason that was not reported yet; null = there is none. */
  get #newNotPlain(): string | null {
    const why = this.#notPlain?.slice(0, 1000) ?? null;
    return this.#reportedNotPlain === why ? null : why;
  }
}
