/** The connections of one server of a simulation to the programs of gateways. */
import { OwnTokens, ProxyRefusal } from '@dstack/proxy';
import type { Store } from '@dstack/store';
import type { Logger } from 'pino';
import { GatewayAccess } from '../../gateways/gateway-access.ts';
import { GatewayFigures } from '../../gateways/gateway-figures.ts';
import { GatewayLinks } from '../../gateways/gateway-links.ts';
import { GatewaySignIns } from '../../gateways/gateway-sign-ins.ts';
import { ReplicaQuestions } from '../../gateways/replica-questions.ts';
import { ALWAYS_READY } from '../../gateways/testing/always-ready.ts';
import { answerAsks } from '../../http/proxy/grants.ts';
import type { GatewayEffects } from './gateway-watch.ts';
import type { SimGateways } from './sim-gateways.ts';

const SIGN_INS = 3;

export interface SimGatewayLinksParts {
  readonly server: object;
  /** Over the connection of the server. */
  readonly store: Store;
  readonly gateways: SimGateways;
  /** Receives what the server does for gateways outside of its database. */
  readonly effects: GatewayEffects;
  /** µs. */
  readonly now: () => number;
  readonly log: Logger;
}

export function simGatewayLinks(parts: SimGatewayLinksParts): GatewayLinks {
  const { server, store, gateways, effects, now, log } = parts;
  const nowMs = () => now() / 1000;
  return new GatewayLinks({
    store,
    client: (hostId) => gateways.agentFor(server, hostId),
    isElsewhere: async (hostId) => gateways.isElsewhere(server, hostId),
    ...ALWAYS_READY,
    newSignIns: () => new GatewaySignIns({ limit: SIGN_INS, now: nowMs }),
    admitBy: (signIns) => answerAsks({ store, now, sshProxyToken: null, signIns }),
    ownTokens: new OwnTokens({ isToken: store.access.isToken, settings: [], now: nowMs, log }),
    outages: {
      noReplica: async () => new ProxyRefusal(503, 'It has no replica'),
    },
    open: async (replica) => {
      effects.opened(replica);
      throw new Error('no replica answers here');
    },
    proofOf: async () => ({ kind: 'proven' }),
    setRecord: async ({ name }) => effects.recordSet(name),
    requests: {
      figures: new GatewayFigures({ services: store.services, now: nowMs }),
      access: new GatewayAccess(store.services),
      questions: new ReplicaQuestions(null),
      onAvoided: (avoided) => effects.avoided(avoided),
    },
    onRefused: () => effects.refused(),
    now,
    log,
  });
}
