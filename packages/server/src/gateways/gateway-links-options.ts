import type { GatewayCondition } from '@dstack/backends';
import type { GatewayReplicaRecord, Timestamp } from '@dstack/core';
import type { EjectedReplica } from '@dstack/proxy';
import type { Store } from '@dstack/store';
import type { AgentClient } from '../hosts/agent-client.ts';
import type { Logger } from '../process/logging.ts';
import type { FrameType } from './bound-frames.ts';
import type { GatewayAccess } from './gateway-access.ts';
import type { AnswerAsk, GatewayAnswersOptions } from './gateway-answers.ts';
import type { GatewayFigures } from './gateway-figures.ts';
import type { GatewayHostState } from './gateway-link.ts';
import type { GatewaySignIns } from './gateway-sign-ins.ts';
import type { GatewaySupplyOptions } from './gateway-supply.ts';
import type { ReplicaQuestions } from './replica-questions.ts';

export interface GatewayLinksOptions
  extends Omit<GatewayAnswersOptions, 'store'>,
    Omit<GatewaySupplyOptions, 'store'> {
  readonly store: Pick<
    Store,
    | 'gateways'
    | 'services'
    | 'shared'
    | 'projects'
    | 'runs'
    | 'access'
    | 'hosts'
    | 'users'
    | 'modelUsage'
    | 'jobs'
    | 'hostAccess'
    | 'events'
    | 'meta'
  >;
  readonly client: (hostId: string) => AgentClient | null;
  readonly isElsewhere: (hostId: string) => Promise<boolean>;
  readonly observe: (replica: GatewayReplicaRecord) => Promise<GatewayHostState>;
  /** Whether the instance that it is on was made for it. */
  readonly isOnInstance: (replica: GatewayReplicaRecord) => boolean;
  /** Null: the machine of the replica needs no care. */
  readonly maintain: (replica: GatewayReplicaRecord) => Promise<GatewayCondition | null>;
  /** The replica is ending. */
  readonly forget: (replica: GatewayReplicaRecord) => Promise<void>;
  readonly requests: {
    readonly figures: Pick<GatewayFigures, 'opened' | 'put' | 'forget'>;
    readonly onAvoided: (avoided: EjectedReplica) => void;
    readonly access: Pick<GatewayAccess, 'opened' | 'answered' | 'forget' | 'isAsked'>;
    readonly questions: Pick<ReplicaQuestions, 'opened' | 'answered' | 'forget' | 'isAsked'>;
  };
  /** Makes the sign-ins of one replica, which guard against guesses by this gateway alone. */
  readonly newSignIns: () => GatewaySignIns;
  readonly admitBy: (signIns: GatewaySignIns) => AnswerAsk;
  /** Called when a message was not obeyed. `type`: `unknown` = it comes from a newer program. */
  readonly onRefused: (gateway: GatewayLabel, type: FrameType | 'unknown') => void;
  readonly now: () => Timestamp;
  readonly log: Logger;
}

/** The name and project of a gateway, as people know it. */
export interface GatewayLabel {
  readonly name: string;
  readonly project: string;
}
