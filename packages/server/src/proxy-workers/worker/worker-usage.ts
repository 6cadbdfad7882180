import {
  type AskedServer,
  isServerAway,
  keepUses,
  type ProxyLog,
  type UseBatch,
  UseDelivery,
} from '@dstack/proxy';
import type { ModelUsage, ModelUse } from '@dstack/store';
import { MODEL_USES } from '../use-kind.ts';

/** The use of models, on the disk until the server has stored it; the server adds each batch once. */
export class WorkerUsage implements Pick<ModelUsage, 'add'> {
  readonly #link: AskedServer;
  readonly #dir: string;
  readonly #log: ProxyLog;
  readonly #delivery: UseDelivery<ModelUse>;

  constructor(link: AskedServer, dir: string, log: ProxyLog) {
    this.#link = link;
    this.#dir = dir;
    this.#log = log;
    const send = (batch: UseBatch<ModelUse>) => this.#send(batch);
    this.#delivery = new UseDelivery({ dir, kind: MODEL_USES, send });
    link.onPresent(() => this.#delivery.connected());
  }

  /**
   * Resolves once it is durable, and known to the server if there is one: the next request of a token must find
   * what its budget has left.
   */
  async add(uses: readonly ModelUse[]): Promise<void> {
    const files = await keepUses(this.#dir, uses);
    if (!this.#link.isAway) await this.#delivery.deliverAll(files);
  }

  /** Called once a second: what the server could not store is sent again. */
  sweep(): void {
    if (!this.#link.isAway && !this.#delivery.isEmpty) this.#delivery.deliver();
  }

  #send({ n, batch, uses }: UseBatch<ModelUse>): boolean {
    if (this.#link.isAway) return false;
    this.#link.ask('usage', { batch, uses }).then(
      () => this.#delivery.used(n),
      (error) => {
        this.#delivery.failed(n);
        if (!isServerAway(error)) this.#log.warn({ err: error }, 'uses of models are stored later');
      },
    );
    return true;
  }
}
