import { isRunFinished } from '@dstack/contract/status';
import type { RunSpec } from '@dstack/contract/wire';
import type { ProjectRecord, RunView } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';

/** Why copies of requests would be dropped. The service that gets them may be submitted later, so this refuses nothing. */
export async function mirrorNotes(
  { store }: Pick<HttpDeps, 'store'>,
  project: ProjectRecord,
  { configuration, run_name: name }: RunSpec,
  current: RunView | null,
): Promise<string[]> {
  if (configuration.type !== 'service' || configuration.mirror == null) return [];
  const { service } = configuration.mirror;
  const named = `Service ${service}, which \`mirror\` names,`;
  if (service === name) return [`${named} is this one: no request is copied`];
  const [target] = await store.runs.byNames(project.id, [service]);
  if (target === undefined || isRunFinished(target.status)) {
    return [`${named} does not exist: copies of requests are dropped until it does`];
  }
  if (target.spec.configuration.type !== 'service') {
    return [`${named} is no service: copies of requests are dropped`];
  }
  if (target.spec.configuration.protocol === 'grpc') {
    return [`${named} answers calls of gRPC only: copies of requests fail`];
  }
  const isServed = current !== null && !isRunFinished(current.run.status);
  if (!isServed || current.run.gatewayId === target.gatewayId) return [];
  return [
    `${named} is not at the same gateway: copies of requests are dropped until \`gateway\` is the same`,
  ];
}
