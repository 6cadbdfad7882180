/** Requests that only the replicas of a gateway can answer: their logs, and renewal of their certificates. */
import {
  type GatewayLogsRequest,
  notExists,
  type RenewGatewayCertificatesRequest,
} from '@dstack/contract/api';
import type { GatewayLogs, GatewayReplicaLog, RenewedCertificates } from '@dstack/contract/wire';
import type { GatewayReplicaRecord } from '@dstack/core';
import type { GatewayView, ProjectRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';

type Deps = Pick<HttpDeps, 'store' | 'askReplica'>;

export async function gatewayLogs(
  { store, askReplica }: Deps,
  project: ProjectRecord,
  { name, replica, lines, after }: GatewayLogsRequest,
): Promise<GatewayLogs> {
  const { replicas } = await viewOf(store, project, name);
  const wanted = placed(replicas).filter(
    ({ replicaNum }) => replica === null || replicaNum === replica,
  );
  if (replica !== null && wanted.length === 0) {
    throw notExists(`Gateway '${name}' has no replica ${replica} that is on a machine`);
  }
  const logOf = async ({ id, replicaNum }: GatewayReplicaRecord): Promise<GatewayReplicaLog> => {
    const position = after?.[replicaNum] ?? null;
    const question = { type: 'read-log', lines, after: position } as const;
    const answer = await askReplica(id, question);
    if (answer?.type !== 'log') {
      const none = { answered: false, next: position, skipped: false, lines: [] };
      return { replica_num: replicaNum, ...none };
    }
    const shown = answer.lines.map(({ time, ...line }) => ({
      ...{ time: time === null ? null : new Date(time).toISOString(), ...line },
    }));
    const { next, skipped } = answer;
    return { replica_num: replicaNum, answered: true, next, skipped, lines: shown };
  };
  return { replicas: await Promise.all(wanted.map(logOf)) };
}

export async function renewCertificates(
  { store, askReplica }: Deps,
  project: ProjectRecord,
  { name, domain }: RenewGatewayCertificatesRequest,
): Promise<RenewedCertificates> {
  const { replicas } = await viewOf(store, project, name);
  const question = { type: 'renew', domain: domain?.toLowerCase() ?? null } as const;
  const answers = await Promise.all(
    placed(replicas).map(async ({ id, replicaNum }) => ({
      replicaNum,
      answer: await askReplica(id, question),
    })),
  );
  const domains = answers.flatMap(({ answer }) =>
    answer?.type === 'renewing' ? answer.domains : [],
  );
  const unanswered = answers.flatMap(({ replicaNum, answer }) =>
    answer === null ? [replicaNum] : [],
  );
  return { domains: [...new Set(domains)].sort(), unanswered };
}

/** Those that have a program which may answer. */
const placed = (replicas: readonly GatewayReplicaRecord[]) =>
  replicas.filter(({ instanceId, deleted }) => instanceId !== null && !deleted);

async function viewOf(
  store: Deps['store'],
  project: ProjectRecord,
  name: string,
): Promise<GatewayView> {
  const view = await store.gateways.byName(project.id, name);
  if (view === null) throw notExists(`Gateway '${name}' does not exist`);
  return view;
}
