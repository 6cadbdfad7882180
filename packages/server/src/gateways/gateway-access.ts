/** The latest requests of services behind gateways, asked of their programs while a client reads them. */
import type { AccessPages, GatewayCommand, GatewayFrame } from '@dstack/contract/agent';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { Id } from '@dstack/core';
import type { AccessPage } from '@dstack/proxy';
import type { Services } from '@dstack/store';

export interface AccessSource {
  readonly gatewayId: Id;
  readonly isOpen: () => boolean;
  readonly send: (order: GatewayCommand) => void;
}

type Pages = Map<string, AccessPage>;

/** Milliseconds to wait for an answer. Gateway programs of an earlier version never answer. */
const LIMIT_MS = 1000;

type SentPage = Omit<AccessPages[number], 'process'>;

const pageOf = ({ records, ...page }: SentPage): AccessPage => ({
  ...page,
  records: records.map((record) => ({ ...record, job_id: record.job_id ?? null })),
});

export class GatewayAccess {
  readonly #services: Pick<Services, 'onGateway'>;
  readonly #sources = new Map<Id, AccessSource>();
  /** A number counts only over the link that it was sent by. */
  readonly #asked = new Map<
    number,
    { readonly replica: Id; readonly done: (pages: Pages) => void }
  >();
  #last = 0;

  constructor(services: Pick<Services, 'onGateway'>) {
    this.#services = services;
  }

  opened(replicaId: Id, source: AccessSource): void {
    this.#sources.set(replicaId, source);
  }

  forget(replicaId: Id): void {
    this.#sources.delete(replicaId);
  }

  isAsked(replicaId: Id, n: number): boolean {
    return this.#asked.get(n)?.replica === replicaId;
  }

  answered(replicaId: Id, { n, pages }: Extract<GatewayFrame, { type: 'accessed' }>): void {
    const asked = this.#asked.get(n);
    if (asked?.replica !== replicaId) return;
    asked.done(new Map(pages.map(({ process, ...page }) => [process, pageOf(page)])));
  }

  /** The requests that the gateway's replicas have answered since the given numbers; see `ReadAccess`. */
  async read(runId: Id, after: ReadonlyMap<string, number>): Promise<Pages> {
    if (this.#sources.size === 0) return new Map();
    const gatewayId = (await this.#services.onGateway(runId))?.run.gatewayId;
    const sources = [...this.#sources].filter(
      ([, one]) => one.gatewayId === gatewayId && one.isOpen(),
    );
    const found = await Promise.all(
      sources.map(([replica, { send }]) => this.#ask({ replica, send }, runId, after)),
    );
    return new Map(found.flatMap((pages) => [...pages]));
  }

  async #ask(
    { replica, send }: Pick<AccessSource, 'send'> & { readonly replica: Id },
    runId: Id,
    after: ReadonlyMap<string, number>,
  ) {
    this.#last += 1;
    const n = this.#last;
    try {
      return await withTimeout(
        () =>
          new Promise<Pages>((resolve) => {
            this.#asked.set(n, { replica, done: resolve });
            // Names of processes of other servers contain a slash.
            const known = [...after].filter(([process]) => !process.includes('/'));
            send({ type: 'access', n, run_id: runId, after: Object.fromEntries(known) });
          }),
        { ms: LIMIT_MS, onTimeout: (): Pages => new Map() },
      );
    } finally {
      this.#asked.delete(n);
    }
  }
}
