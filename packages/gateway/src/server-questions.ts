import type { GatewayCommand, GatewayFrame } from '@dstack/contract/agent';
import type { FromWorker } from './worker/messages.ts';
import type { Worker } from './workers.ts';

type Question = Extract<FromWorker, { type: 'admit' | 'is-token' | 'why' }>;
type Answer = Extract<GatewayCommand, { type: 'admitted' | 'token' | 'because' }>;

/** Questions of workers to the server. */
export class ServerQuestions {
  readonly #send: (frame: GatewayFrame) => boolean;
  /** By the number that this process gave them. */
  readonly #asked = new Map<number, { readonly worker: Worker; readonly n: number }>();
  #last = 0;

  /** `send` returns whether there is a server. */
  constructor(send: (frame: GatewayFrame) => boolean) {
    this.#send = send;
  }

  ask(worker: Worker, question: Question): void {
    this.#last += 1;
    const n = this.#last;
    if (this.#send({ ...question, n })) this.#asked.set(n, { worker, n: question.n });
    else worker.send({ type: 'unanswered', n: question.n });
  }

  answered(answer: Answer): void {
    const asked = this.#asked.get(answer.n);
    this.#asked.delete(answer.n);
    asked?.worker.send({ ...answer, n: asked.n });
  }

  disconnected(): void {
    for (const { worker, n } of this.#asked.values()) worker.send({ type: 'unanswered', n });
    this.#asked.clear();
  }
}
