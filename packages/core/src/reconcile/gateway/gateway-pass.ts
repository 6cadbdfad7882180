/** One pass over a gateway and its replicas. */
import { Draft } from '../../draft/draft.ts';
import { gatewayReplicaTarget, gatewayTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import type {
  DecisionContext,
  EngineSettings,
  GatewayRecord,
  GatewayReplicaRecord,
  GatewayReport,
  GatewaySnapshot,
  Timestamp,
} from '../../model/index.ts';
import {
  assertTransition,
  GATEWAY_REPLICA_TRANSITIONS,
  GATEWAY_TRANSITIONS,
  type GatewayReplicaStatus,
  type GatewayStatus,
  isReplicaTerminated,
} from '../../status/index.ts';
import { activeReplicas } from './replica-attempts.ts';

export class GatewayPass {
  readonly snapshot: GatewaySnapshot;
  readonly draft: Draft;
  readonly settings: EngineSettings;

  constructor(snapshot: GatewaySnapshot, ctx: DecisionContext) {
    this.snapshot = snapshot;
    this.settings = ctx.settings;
    const { gateway, replicas, intents } = snapshot;
    this.draft = new Draft({ gateway, gatewayReplicas: replicas, intents }, ctx);
  }

  get now(): Timestamp {
    return this.draft.now;
  }

  get gateway(): GatewayRecord {
    return this.draft.gateways.get(this.snapshot.gateway.id) ?? this.snapshot.gateway;
  }

  /** That have not ended. */
  get replicas(): GatewayReplicaRecord[] {
    return this.draft.gatewayReplicas.all().filter(({ status }) => !isReplicaTerminated(status));
  }

  /** That count for `replicas` of the configuration. */
  get active(): GatewayReplicaRecord[] {
    return activeReplicas(this.draft.gatewayReplicas.all());
  }

  report({ id }: GatewayReplicaRecord): GatewayReport | null {
    return this.snapshot.reports.find(({ replicaId }) => replicaId === id) ?? null;
  }

  set(patch: Partial<GatewayRecord>): void {
    this.draft.gateways.set(this.gateway, patch);
  }

  setReplica(replica: GatewayReplicaRecord, patch: Partial<GatewayReplicaRecord>): void {
    this.draft.gatewayReplicas.set(replica, patch);
  }

  move(status: GatewayStatus, statusMessage: string | null = null): void {
    const from = this.gateway.status;
    assertTransition('gateway', GATEWAY_TRANSITIONS, from, status);
    this.set({ status, statusMessage });
    this.draft.event(
      recordEvent({
        action: 'gateway.status_changed',
        data: { from, to: status, message: statusMessage },
        targets: [gatewayTarget(this.gateway)],
      }),
    );
  }

  moveReplica(
    replica: GatewayReplicaRecord,
    status: GatewayReplicaStatus,
    statusMessage: string | null = null,
    patch: Partial<GatewayReplicaRecord> = {},
  ): void {
    const from = replica.status;
    assertTransition('gateway replica', GATEWAY_REPLICA_TRANSITIONS, from, status);
    this.setReplica(replica, {
      ...{ ...patch, status, statusMessage, lastProcessedAt: this.now },
      ...{ deleted: isReplicaTerminated(status) },
    });
    this.draft.event(
      recordEvent({
        action: 'gateway.replica_status_changed',
        data: { from, to: status, message: statusMessage },
        targets: [gatewayReplicaTarget(this.gateway, replica)],
      }),
    );
  }
}
