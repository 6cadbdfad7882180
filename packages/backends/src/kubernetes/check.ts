/** The permissions that the backend needs, each asked of the cluster. */
import type { CheckResult } from '../base/port.ts';
import type { Cluster } from './cluster.ts';

interface Rule {
  /** Null: the core API. */
  readonly group?: string;
  readonly resource: string;
  readonly verbs: readonly string[];
  readonly scope: 'cluster' | 'namespace';
  readonly why: string;
}

/** The same rules as in the manifest of the documentation. */
export function rules(copiesAgent: boolean): Rule[] {
  return [
    rule('cluster', 'nodes', ['get', 'list', 'watch'], 'offers are the nodes'),
    rule('cluster', 'pods', ['list', 'watch'], 'offers are what pods leave of the nodes'),
    rule('namespace', 'pods', ['get', 'list', 'watch', 'create', 'delete'], 'jobs are pods'),
    rule('namespace', 'pods/portforward', ['get', 'create'], 'the server reaches jobs by it'),
    rule('namespace', 'pods/log', ['get'], 'it reports when the agent of a job listens'),
    ...(copiesAgent
      ? [rule('namespace', 'pods/exec', ['get', 'create'], 'the server copies its agent by it')]
      : []),
    rule('namespace', 'secrets', ['create', 'patch', 'delete'], 'tokens and registry credentials'),
    rule('namespace', 'configmaps', ['list', 'create', 'delete'], 'they keep claims of servers'),
    rule(
      'namespace',
      'services',
      ['get', 'create', 'delete'],
      'they give names to the nodes of a task, and gateways their addresses',
    ),
    rule('namespace', 'events', ['list', 'watch'], 'they report how pods start'),
    rule('namespace', 'persistentvolumeclaims', ['get', 'list', 'create', 'delete'], 'volumes'),
    {
      ...rule('namespace', 'statefulsets', ['get', 'list', 'create', 'delete'], GATEWAYS),
      group: 'apps',
    },
    {
      ...rule('namespace', 'ingresses', ['get', 'create', 'delete'], GATEWAYS),
      group: 'networking.k8s.io',
    },
  ];
}

const GATEWAYS = 'gateways, and nothing else';

function rule(scope: Rule['scope'], resource: string, verbs: readonly string[], why: string): Rule {
  return { scope, resource, verbs, why };
}

interface Review {
  readonly status: { readonly allowed: boolean };
}

export async function checkCluster(cluster: Cluster, copiesAgent: boolean): Promise<CheckResult[]> {
  const asked = rules(copiesAgent).flatMap((one) => one.verbs.map((verb) => ({ one, verb })));
  return await Promise.all(asked.map(({ one, verb }) => checkRule(cluster, one, verb)));
}

async function checkRule(cluster: Cluster, one: Rule, verb: string): Promise<CheckResult> {
  const { scope, why, group = '' } = one;
  const [resource, subresource] = one.resource.split('/');
  const namespace = scope === 'namespace' ? cluster.namespace : undefined;
  const body = {
    ...{ apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview' },
    spec: { resourceAttributes: { group, resource, subresource, verb, namespace } },
  };
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const { status } = await cluster.client.call<Review>({ method: 'POST', path, body });
  const place = namespace === undefined ? 'in the whole cluster' : `in namespace ${namespace}`;
  const name = `${cluster.title}: ${verb} ${one.resource} ${place}`;
  const kind = namespace === undefined ? 'ClusterRole' : 'Role';
  const problem = `its user may not ${verb} ${one.resource} ${place} (${why}): add the verb to a ${kind} of that user`;
  return { name, ok: status.allowed, problem: status.allowed ? null : problem };
}
