import type { GatewayFrame } from '@dstack/contract/agent';

type Question = Extract<GatewayFrame, { type: 'dns' }>;

interface Waiting {
  readonly done: () => void;
  readonly fail: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** A hook of a person has a minute, and several may wait for it. */
const ANSWER_MS = 150_000;
const AWAY = 'the dstack server, which sets DNS records, is away; this is repeated';

/** TXT records, which only the server can set. */
export class DnsRecords {
  readonly #send: (frame: Question) => boolean;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  /** `send`: whether there is a server to receive it. */
  constructor(send: (frame: Question) => boolean) {
    this.#send = send;
  }

  /** Rejects with the cause for people. */
  set(action: Question['action'], name: string, value: string): Promise<void> {
    this.#last += 1;
    const n = this.#last;
    return new Promise<void>((done, fail) => {
      const timer = setTimeout(() => this.answered(n, 'the server has not answered'), ANSWER_MS);
      this.#waiting.set(n, { done, fail, timer: timer.unref() });
      if (!this.#send({ type: 'dns', n, action, name, value })) this.answered(n, AWAY);
    });
  }

  answered(n: number, error: string | null): void {
    const waiting = this.#waiting.get(n);
    this.#waiting.delete(n);
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    if (error === null) waiting.done();
    else waiting.fail(new Error(error));
  }

  disconnected(): void {
    for (const n of [...this.#waiting.keys()]) this.answered(n, AWAY);
  }
}
