/** Resource policies of regions, of the kind that puts machines close to each other. */
import { fieldsOf, optionalText, textField } from '../../fields.ts';
import type { CloudCall, CloudRoute } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';
import { BASE, begun, requireProject } from './calls.ts';
import { PROJECT } from './catalog.ts';
import { type GcpPolicy, gcpFactsOf } from './facts.ts';
import { linkOf } from './forms.ts';
import { aggregated, paged } from './lists.ts';

const IN_REGION = `${BASE}/regions/{region}/resourcePolicies`;

export const policyRoutes: readonly CloudRoute[] = [
  { method: 'GET', path: `${BASE}/aggregated/resourcePolicies`, answer: listAll },
  { method: 'GET', path: IN_REGION, answer: list },
  { method: 'POST', path: IN_REGION, answer: insert },
  { method: 'DELETE', path: `${IN_REGION}/{name}`, answer: remove },
];

function policyForm({ region, name, description }: GcpPolicy, url: string): object {
  return {
    ...{ kind: 'compute#resourcePolicy', name, region: linkOf(url, `regions/${region}`) },
    ...{ status: 'READY', groupPlacementPolicy: { collocation: 'COLLOCATED' } },
    ...(description !== null && { description }),
  };
}

function listAll(call: CloudCall): CloudAnswer {
  requireProject(call);
  const items = [...gcpFactsOf(call.account).policies.values()].map((policy) => ({
    ...{ scope: `regions/${policy.region}`, form: policyForm(policy, call.url) },
  }));
  return aggregated(call, 'resourcePolicies', items);
}

function list(call: CloudCall): CloudAnswer {
  requireProject(call);
  const policies = [...gcpFactsOf(call.account).policies.values()].filter(
    ({ region }) => region === call.params.region,
  );
  return paged(call, 'compute#resourcePolicyList', policies, (one) => policyForm(one, call.url));
}

const pathOf = (region: string, name: string): string =>
  `projects/${PROJECT}/regions/${region}/resourcePolicies/${name}`;

function insert(call: CloudCall): CloudAnswer {
  requireProject(call);
  const { policies } = gcpFactsOf(call.account);
  const { region = '' } = call.params;
  const body = fieldsOf(call.body);
  const name = textField(body, 'name', { max: 63 });
  const path = pathOf(region, name);
  if (policies.has(path)) throw new Refusal('conflict', `The resource '${path}' already exists`);
  policies.set(path, { region, name, description: optionalText(body, 'description') });
  return begun(call, 'insert', { id: path, region });
}

function remove(call: CloudCall): CloudAnswer {
  const { policies, bodies } = gcpFactsOf(call.account);
  const path = pathOf(call.params.region ?? '', call.params.name ?? '');
  if (!policies.has(path)) throw new Refusal('not_found', `The resource '${path}' was not found`);
  const users = call.account.vms.all().filter(({ id }) => {
    const named = (bodies.get(id)?.resourcePolicies ?? []) as readonly string[];
    return named.includes(path);
  });
  if (users.length > 0) {
    throw new Refusal('not_now', `The resource_policy resource '${path}' is already being used`);
  }
  policies.delete(path);
  return begun(call, 'delete', { id: path, region: call.params.region ?? '' });
}

/** Throws if a machine is to be put into one that does not exist. */
export function requirePolicies({ account }: CloudCall, paths: readonly string[]): void {
  const { policies } = gcpFactsOf(account);
  const missing = paths.find((path) => !policies.has(path));
  if (missing === undefined) return;
  throw new Refusal('not_found', `The resource '${missing}' was not found`);
}
