import type { GatewayReplicaRecord, Id } from '@dstack/core';
import type { GatewayView } from '@dstack/store';
import { ChangedRuns } from './changed-runs.ts';
import { GatewayAnswers } from './gateway-answers.ts';
import type { GatewayLinksOptions } from './gateway-links-options.ts';
import { LinkedReplica } from './linked-replica.ts';

/** If several servers share a database: how often gateways without a server are looked for. */
const FOLLOW_MS = 3000;

/** Connections to the programs of all gateways whose hosts this server is linked to. */
export class GatewayLinks {
  readonly #options: GatewayLinksOptions;
  readonly #answers: GatewayAnswers;
  readonly #linked = new Map<Id, LinkedReplica>();
  readonly #changedRuns: ChangedRuns;
  readonly #stopListening: (() => void)[] = [];
  #follow: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: GatewayLinksOptions) {
    this.#options = options;
    this.#answers = new GatewayAnswers(options);
    this.#changedRuns = new ChangedRuns({
      send: (runId) => this.#sendRun(runId),
      onFailed: (runId, error) => {
        options.log.warn({ run: runId, err: error }, 'a gateway did not receive a change');
        this.runChanged(runId);
      },
    });
  }

  async start(): Promise<void> {
    const { store } = this.#options;
    this.#stopListening.push(
      store.access.onChanged(() => {
        for (const one of this.#linked.values()) one.send({ type: 'access-changed' });
      }),
    );
    await this.#followAll();
    if (store.shared) this.#follow = setInterval(() => void this.#followAll(), FOLLOW_MS).unref();
  }

  close(): void {
    this.#closed = true;
    this.#changedRuns.close();
    if (this.#follow) clearInterval(this.#follow);
    for (const stop of this.#stopListening) stop();
    for (const one of this.#linked.values()) one.close();
    this.#linked.clear();
  }

  /** After a pass of the gateway: its replicas, settings or certificates may have changed. */
  changed(gatewayId: Id): void {
    void this.#followAll().then(async () => {
      for (const one of this.#linked.values()) {
        if (one.gatewayId === gatewayId && one.isOpen) await one.settingsChanged();
      }
    });
  }

  /** A run may have changed. */
  runChanged(runId: Id): void {
    if (this.#linked.size === 0) return;
    this.#changedRuns.add(runId);
  }

  hostConnected(hostId: string): void {
    for (const one of this.#linked.values()) {
      if (this.#options.hostOf(one.replica) === hostId) one.retry();
    }
  }

  /** Like `ReplicaConnections.leave`, for all gateways that send requests to the job. */
  leave(jobId: Id, whenIdle: () => void): boolean {
    let isIdle = true;
    for (const one of this.#linked.values()) {
      if (!one.leave(jobId, whenIdle)) isIdle = false;
    }
    return isIdle;
  }

  async #followAll(): Promise<void> {
    const { store, log } = this.#options;
    try {
      const replicas = await store.gateways.placedReplicas();
      if (this.#closed) return;
      const linked = replicas.filter((one) => isWanted(one) || this.#isLeaving(one));
      const wanted = new Map(linked.map((one) => [one.id, one]));
      for (const [id, one] of this.#linked) {
        if (wanted.has(id)) continue;
        one.close();
        this.#linked.delete(id);
        await one.forget();
      }
      for (const replica of wanted.values()) {
        if (this.#linked.has(replica.id) || !isWanted(replica)) continue;
        const view = await store.gateways.byId(replica.gatewayId);
        if (view && !this.#linked.has(replica.id) && !this.#closed) this.#open(replica, view);
      }
    } catch (error) {
      log.warn({ err: error }, 'the gateways could not be read');
    }
  }

  /** Clients reach its pod until others have taken its place, and its requests need the server. */
  #isLeaving(replica: GatewayReplicaRecord): boolean {
    return replica.status === 'terminating' && this.#options.isOnInstance(replica);
  }

  #open(replica: GatewayReplicaRecord, view: GatewayView): void {
    const options = {
      ...{ links: this.#options, answers: this.#answers, isClosed: () => this.#closed },
      isServing: (one: LinkedReplica) => this.#linked.get(replica.id) === one,
    };
    this.#linked.set(replica.id, new LinkedReplica(options, replica, view));
  }

  async #sendRun(runId: Id): Promise<void> {
    const found = await this.#options.store.services.onGateway(runId);
    for (const one of this.#linked.values()) {
      if (one.isOpen) await one.sendRun(runId, found);
    }
  }
}

function isWanted({ status }: GatewayReplicaRecord): boolean {
  return status === 'provisioning' || status === 'running';
}
