/** A service as its gateway receives it: without its commands, environment and secrets. */
import type { GatewayService } from '@dstack/contract/agent';
import { isRunRunning } from '@dstack/contract/status';
import type { ServiceView } from '@dstack/store';
import { modelOf } from '../service-table/view-route.ts';
import { hostPathsOf } from './custom-hosts.ts';

/** The fields of a configuration that decide how requests are handled. */
const FIELDS = [
  'type',
  'protocol',
  'auth',
  'strip_prefix',
  'replicas',
  'scaling',
  'autoscaling',
  'rate_limits',
  'held_requests',
  'affinity',
  'mirror',
  'model',
] as const;

/** Null: the run has no address on a gateway. */
export function gatewayService({ run, projectName, replicas }: ServiceView): GatewayService | null {
  const url = URL.parse(run.serviceSpec?.url ?? '');
  const { configuration } = run.spec;
  if (url === null || configuration.type !== 'service') return null;
  const own = hostPathsOf(run);
  return {
    run_id: run.id,
    project: projectName,
    run: run.name,
    host: url.hostname,
    https: url.protocol === 'https:',
    custom_hosts: own.flatMap(({ host, path }) => (path === '' ? [host] : [])),
    custom_paths: own.filter(({ path }) => path !== ''),
    configuration: JSON.stringify({ ...forwardedPart(configuration), model: modelOf({ run }) }),
    submitted_at: run.submittedAt,
    running: isRunRunning(run.status),
    replicas: replicas.map(({ jobId, hostId, port, runningAt, isFailing }) => ({
      ...{ job_id: jobId, host_id: hostId, port, running_at: runningAt, failing: isFailing },
      tunnel: null,
    })),
  };
}

function forwardedPart(configuration: object): object {
  const given = configuration as Readonly<Record<string, unknown>>;
  const groups = given.groups as readonly Readonly<Record<string, unknown>>[] | null;
  return {
    ...Object.fromEntries(FIELDS.map((field) => [field, given[field] ?? null])),
    groups:
      groups?.map(({ name, replicas, scaling, autoscaling, router }) => ({
        ...{ name, replicas, scaling: scaling ?? null, router: router ?? null },
        autoscaling: autoscaling ?? null,
      })) ?? null,
  };
}
