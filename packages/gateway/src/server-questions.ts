import type { GatewayCommand, GatewayFrame } from '@dstack/contract/agent';
import { withTimeout } from '@dstack/contract/with-timeout';
import { serverAway } from '@dstack/proxy';

/** The types of questions, and those of their answers. */
interface Answers {
  readonly admit: 'admitted';
  readonly 'is-token': 'token';
  readonly why: 'because';
  readonly rate: 'taken';
}

type Question<T extends keyof Answers> = Omit<Extract<GatewayFrame, { type: T }>, 'n'>;
type Answer<T extends keyof Answers> = Extract<GatewayCommand, { type: Answers[T] }>;

const LIMIT_MS = 5000;

/** Questions to the server, for workers. */
export class ServerQuestions {
  readonly #send: (frame: GatewayFrame) => boolean;
  readonly #open = new Map<number, PromiseWithResolvers<Answer<keyof Answers>>>();
  #last = 0;

  /** `send` returns whether there is a server. */
  constructor(send: (frame: GatewayFrame) => boolean) {
    this.#send = send;
  }

  /** Rejects with `isServerAway` if there is no server, or it does not answer within `ms`. */
  async ask<T extends keyof Answers>(question: Question<T>, ms = LIMIT_MS): Promise<Answer<T>> {
    this.#last += 1;
    const n = this.#last;
    const open = Promise.withResolvers<Answer<keyof Answers>>();
    if (!this.#send({ ...question, n } as unknown as GatewayFrame)) throw serverAway();
    this.#open.set(n, open);
    const onTimeout = () => {
      throw serverAway();
    };
    try {
      const answer = await withTimeout(() => open.promise, { ms, onTimeout });
      return answer as Answer<T>;
    } finally {
      this.#open.delete(n);
    }
  }

  answered(answer: Answer<keyof Answers>): void {
    this.#open.get(answer.n)?.resolve(answer);
  }

  disconnected(): void {
    for (const { reject } of this.#open.values()) reject(serverAway());
  }
}
