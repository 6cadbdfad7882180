import { randomUUID } from 'node:crypto';
import { duplexPair } from 'node:stream';
import type { EjectedReplica, OpenPort } from '@dstack/proxy';
import { OwnTokens } from '@dstack/proxy';
import type { Store } from '@dstack/store';
import { pino } from 'pino';
import { runningGateway } from '../../http/gateways/testing/running-gateway.ts';
import { answerAsks } from '../../http/proxy/grants.ts';
import { insertInstances, serveAt, submitService } from '../../http/testing/services.ts';
import { startTestServer, type TestServer } from '../../http/testing/test-server.ts';
import type { DnsChange } from '../dns-hook.ts';
import { domainProof } from '../domain-proof.ts';
import { GatewayAccess } from '../gateway-access.ts';
import { GatewayFigures } from '../gateway-figures.ts';
import { GatewayLinks } from '../gateway-links.ts';
import { GatewaySignIns } from '../gateway-sign-ins.ts';
import { ReplicaQuestions } from '../replica-questions.ts';
import { ALWAYS_READY } from './always-ready.ts';
import { GatewayProgram } from './gateway-program.ts';

/** Unknown tokens per minute and address. */
export const SIGN_INS = 3;

/** A service, and where its only replica is. */
interface Served {
  readonly id: string;
  readonly jobId: string;
  readonly hostId: string;
  readonly port: number;
}

/**
 * A server whose gateway `edge` of project `main` is a program that lies. Service `own` (model `parrot`) is
 * behind it; `foreign` (model `owl`) is behind another gateway, `other`, and `inner` behind none.
 */
export interface LinkedGateway {
  readonly server: TestServer;
  readonly program: GatewayProgram;
  readonly links: GatewayLinks;
  readonly gatewayId: string;
  readonly replicaId: string;
  readonly own: Served;
  readonly foreign: Served;
  readonly inner: Served;
  readonly parts: {
    readonly figures: GatewayFigures;
    readonly access: GatewayAccess;
    readonly questions: ReplicaQuestions;
  };
  /** Connections to replicas that the server has opened for the gateway. */
  readonly opened: Parameters<OpenPort>[0][];
  /** Records that the hook of the operator has set. */
  readonly records: DnsChange[];
  /** `DSTACK_GATEWAY_DOMAINS`. */
  readonly domains: Map<string, string[]>;
  /** TXT records in DNS. */
  readonly texts: Map<string, string[]>;
  /** Runs for which the gateway has counted something, or which it has woken. */
  readonly booked: string[];
  /** Types of messages that were not obeyed. */
  readonly refused: string[];
  /** Replicas that answer with errors, as it was believed. */
  readonly avoided: EjectedReplica[];
  /** Everything that was sent before has been dealt with. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** A second that is too long ago to count for anything. */
const OLD = Math.floor(Date.now() / 1000) - 3000;
const MODEL = { type: 'chat', format: 'openai' } as const;

export async function linkedGateway(): Promise<LinkedGateway> {
  const server = await startTestServer();
  const { store } = server;
  const gatewayId = await runningGateway(server, 'edge');
  await runningGateway(server, 'other', { domain: '*.other.test' });
  const instances = await insertInstances(server, 1);
  const served = async (name: string, more: object): Promise<Served> => {
    const { id } = await submitService(server, name, { https: false, ...more });
    const [job] = await serveAt(server, id, [8000], instances);
    return { id, jobId: job?.id ?? '', hostId: 'local', port: 8000 };
  };
  const scaled = { replicas: '1..2', scaling: { metric: 'rps', target: 1 } };
  const own = await served('own', {
    ...{ gateway: 'edge', model: { ...MODEL, name: 'parrot' }, ...scaled },
  });
  const foreign = await served('foreign', {
    ...{ gateway: 'other', model: { ...MODEL, name: 'owl' }, ...scaled },
  });
  const inner = await served('inner', { https: 'auto', gateway: false });
  const view = await store.gateways.byId(gatewayId);
  const replicaId = view?.replicas[0]?.id ?? '';
  const program = new GatewayProgram();
  const avoided: EjectedReplica[] = [];
  const parts = {
    onAvoided: (one: EjectedReplica) => void avoided.push(one),
    figures: new GatewayFigures({ services: store.services, now: Date.now }),
    access: new GatewayAccess(store.services),
    questions: new ReplicaQuestions(null),
  };
  const [opened, records, refused]: [Parameters<OpenPort>[0][], DnsChange[], string[]] = [
    [],
    [],
    [],
  ];
  const log = pino({ level: 'silent' });
  const booked: string[] = [];
  const domains = new Map<string, string[]>();
  const texts = new Map<string, string[]>();
  const services: Store['services'] = {
    ...store.services,
    addRequests: async (owner, all, extras, delivery) => {
      const woken = extras?.signals?.map(({ id }) => id) ?? [];
      booked.push(...all.filter(({ second }) => second > OLD).map(({ runId }) => runId), ...woken);
      await store.services.addRequests(owner, all, extras, delivery);
    },
    setLoad: async (owner, slots) => {
      booked.push(...slots.map(({ runId }) => runId));
      await store.services.setLoad(owner, slots);
    },
  };
  const links = new GatewayLinks({
    store: { ...store, services },
    client: (hostId) => (hostId === replicaId ? program.agent : null),
    isElsewhere: async () => false,
    ...ALWAYS_READY,
    newSignIns: () => new GatewaySignIns({ limit: SIGN_INS, now: Date.now }),
    admitBy: (signIns) =>
      answerAsks({ store, now: () => Date.now() * 1000, sshProxyToken: null, signIns }),
    ownTokens: new OwnTokens({ isToken: store.access.isToken, settings: [], now: Date.now, log }),
    outages: {
      noReplica: async () => {
        throw new Error('not asked here');
      },
    },
    open: async (replica) => {
      opened.push(replica);
      return duplexPair()[0] as never;
    },
    proofOf: async (gateway, name) => {
      const [view, project] = [
        await store.gateways.byId(gateway.id),
        await store.projects.byId(gateway.projectId),
      ];
      if (!view || !project) throw new Error('it is not there');
      const { gateways } = store;
      const given = new Map(domains);
      const readTxt = async (wanted: string) => texts.get(wanted) ?? [];
      return await domainProof({ domains: given, readTxt, gateways }, project, view.gateway, name);
    },
    setRecord: async (change) => void records.push(change),
    requests: parts,
    onRefused: (_gateway, type) => void refused.push(type),
    now: () => Date.now() * 1000,
    log,
  });
  await links.start();
  await program.receives({ type: 'services' });
  let barriers = 0;
  const settled = async () => {
    // Writes happen in turn; each of these is one.
    for (let n = 0; n < 3; n++) {
      barriers += 1;
      const number = 1_000_000 + barriers;
      const counts = [{ run_id: own.id, second: OLD, requests: 1 }];
      program.send({ type: 'counts', n: number, batch: randomUUID(), counts, waiting: [] });
      await program.receives({ type: 'counted', n: number });
    }
  };
  return {
    ...{ server, program, links, gatewayId, replicaId, own, foreign, inner, parts },
    ...{ opened, records, domains, texts, booked, refused, avoided, settled },
    close: async () => {
      links.close();
      await server.close();
    },
  };
}
