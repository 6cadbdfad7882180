/** The latest requests of a service, read from all workers for the server. */
import type { AccessPages, GatewayCommand, GatewayFrame } from '@dstack/contract/agent';
import type { FromWorker, ToWorker } from './worker/messages.ts';

type Order = Extract<GatewayCommand, { type: 'access' }>;
type Answer = Extract<FromWorker, { type: 'access-pages' }>;
type Frame = Extract<GatewayFrame, { type: 'accessed' }>;

interface Asked<Worker> {
  /** The number that the server gave the question. */
  readonly n: number;
  readonly waiting: Set<Worker>;
  readonly pages: AccessPages[number][];
  readonly timer: NodeJS.Timeout;
}

/** A worker that is busier than that is left out of this answer, in milliseconds. */
const LIMIT_MS = 500;

export class AccessQuestions<Worker extends { send(message: ToWorker): void }> {
  readonly #send: (frame: Frame) => boolean;
  readonly #asked = new Map<number, Asked<Worker>>();
  #last = 0;

  constructor(send: (frame: Frame) => boolean) {
    this.#send = send;
  }

  ask(order: Order, workers: readonly Worker[]): void {
    this.#last += 1;
    const number = this.#last;
    const timer = setTimeout(() => this.#finish(number), LIMIT_MS);
    this.#asked.set(number, { n: order.n, waiting: new Set(workers), pages: [], timer });
    for (const worker of workers) worker.send({ ...order, n: number });
    if (workers.length === 0) this.#finish(number);
  }

  answered(worker: Worker, { n, pages }: Answer): void {
    const asked = this.#asked.get(n);
    if (!asked?.waiting.delete(worker)) return;
    asked.pages.push(...pages);
    if (asked.waiting.size === 0) this.#finish(n);
  }

  ended(worker: Worker): void {
    for (const [number, { waiting }] of this.#asked) {
      if (waiting.delete(worker) && waiting.size === 0) this.#finish(number);
    }
  }

  #finish(number: number): void {
    const asked = this.#asked.get(number);
    if (!asked) return;
    this.#asked.delete(number);
    clearTimeout(asked.timer);
    this.#send({ type: 'accessed', n: asked.n, pages: asked.pages });
  }
}
