import type { FromWorker, ToWorker } from './messages.ts';

/** The server is away, or did not answer in time. */
export class Unanswered extends Error {
  override name = 'Unanswered';
}

const LIMIT_MS = 5000;

type Asked = Extract<FromWorker, { readonly n: number }>;
type Without<T> = T extends unknown ? Omit<T, 'n'> : never;
type Answer = Extract<ToWorker, { readonly n: number }>;

/** Questions to the main process, which asks the server where it cannot answer itself. */
export class Questions {
  readonly #send: (message: FromWorker) => void;
  readonly #open = new Map<number, { done: (answer: Answer) => void; fail: (e: Error) => void }>();
  #last = 0;

  constructor(send: (message: FromWorker) => void) {
    this.#send = send;
  }

  /** Rejects with `Unanswered`. */
  async ask<T extends Answer['type']>(
    question: Without<Asked>,
    type: T,
  ): Promise<Extract<Answer, { readonly type: T }>> {
    this.#last += 1;
    const n = this.#last;
    let timer: NodeJS.Timeout | undefined;
    try {
      const answer = await new Promise<Answer>((done, fail) => {
        this.#open.set(n, { done, fail });
        timer = setTimeout(() => fail(new Unanswered('the server has not answered')), LIMIT_MS);
        this.#send({ ...question, n } as FromWorker);
      });
      if (answer.type !== type) throw new Unanswered('the server cannot be asked now');
      return answer as Extract<Answer, { readonly type: T }>;
    } finally {
      clearTimeout(timer);
      this.#open.delete(n);
    }
  }

  answered(answer: Answer): void {
    this.#open.get(answer.n)?.done(answer);
  }

  /** The main process has ended. */
  failAll(): void {
    for (const { fail } of this.#open.values()) fail(new Unanswered('the gateway is restarting'));
  }
}
