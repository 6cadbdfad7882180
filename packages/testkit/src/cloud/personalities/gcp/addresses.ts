/** Static external addresses of regions. */
import { type Fields, fieldsOf, optionalText, textField } from '../../fields.ts';
import type { CloudCall, CloudRoute } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';
import { BASE, begun, IN_ZONE, ok, requireInstance, requireProject } from './calls.ts';
import { PROJECT } from './catalog.ts';
import { type GcpAddress, gcpFactsOf } from './facts.ts';
import { linkOf } from './forms.ts';
import { paged } from './lists.ts';

const IN_REGION = `${BASE}/regions/{region}/addresses`;
const ONE = `${IN_REGION}/{name}`;

export const addressRoutes: readonly CloudRoute[] = [
  { method: 'GET', path: IN_REGION, answer: list },
  { method: 'POST', path: IN_REGION, answer: insert },
  { method: 'GET', path: ONE, answer: (call) => ok(addressForm(requireAddress(call), call)) },
  { method: 'DELETE', path: ONE, answer: remove },
  { method: 'POST', path: `${IN_ZONE}/instances/{name}/addAccessConfig`, answer: addAccessConfig },
];

const pathOf = (region: string, name: string): string =>
  `projects/${PROJECT}/regions/${region}/addresses/${name}`;

/** The machine that has it; null = none. */
function userOf(call: CloudCall, { address }: GcpAddress) {
  const { natIps } = gcpFactsOf(call.account);
  return call.account.vms.all().find(({ id }) => natIps.get(id) === address) ?? null;
}

function addressForm(one: GcpAddress, call: CloudCall): object {
  const { region, name, address, description } = one;
  const user = userOf(call, one);
  return {
    ...{ kind: 'compute#address', id: '1', name, address, addressType: 'EXTERNAL' },
    ...{ region: linkOf(call.url, `regions/${region}`), networkTier: 'PREMIUM' },
    ...{ status: user === null ? 'RESERVED' : 'IN_USE' },
    ...(user !== null && {
      users: [linkOf(call.url, `zones/${user.region}/instances/${user.name}`)],
    }),
    ...(description !== null && { description }),
  };
}

function list(call: CloudCall): CloudAnswer {
  requireProject(call);
  const { region } = call.params;
  const found = [...gcpFactsOf(call.account).addresses.values()].filter(
    (one) => one.region === region,
  );
  return paged(call, 'compute#addressList', found, (one) => addressForm(one, call));
}

function requireAddress(call: CloudCall): GcpAddress {
  const path = pathOf(call.params.region ?? '', call.params.name ?? '');
  const found = gcpFactsOf(call.account).addresses.get(path);
  if (found) return found;
  throw new Refusal('not_found', `The resource '${path}' was not found`);
}

function insert(call: CloudCall): CloudAnswer {
  requireProject(call);
  const facts = gcpFactsOf(call.account);
  const { region = '' } = call.params;
  const body = fieldsOf(call.body);
  const name = textField(body, 'name', { max: 63 });
  const path = pathOf(region, name);
  if (facts.addresses.has(path)) {
    throw new Refusal('conflict', `The resource '${path}' already exists`);
  }
  if (facts.addresses.size >= facts.mostAddresses) {
    throw new Refusal('quota', "Quota 'STATIC_ADDRESSES' exceeded.");
  }
  facts.addresses.set(path, {
    ...{ region, name, description: optionalText(body, 'description') },
    address: `203.0.113.${++facts.lastAddress}`,
  });
  return begun(call, 'insert', { id: linkOf(call.url, path), region });
}

function remove(call: CloudCall): CloudAnswer {
  const found = requireAddress(call);
  const path = pathOf(found.region, found.name);
  if (userOf(call, found) !== null) {
    throw new Refusal('not_now', `The address resource '${path}' is already being used`);
  }
  gcpFactsOf(call.account).addresses.delete(path);
  return begun(call, 'delete', { id: linkOf(call.url, path), region: found.region });
}

/** The static address that an access configuration asks for; null = Google chooses one. */
export function natIpIn(config: Fields | undefined): string | null {
  return config === undefined ? null : optionalText(config, 'natIP');
}

/** The code with which the operation fails; null = the machine may have it. Throws if it is not reserved here. */
export function natIpProblem(call: CloudCall, natIp: string): string | null {
  const { addresses } = gcpFactsOf(call.account);
  const found = [...addresses.values()].find(({ address }) => address === natIp);
  if (found === undefined) {
    throw new Refusal('invalid', `The specified external IP address '${natIp}' was not found`);
  }
  return userOf(call, found) === null ? null : 'IP_IN_USE_BY_ANOTHER_RESOURCE';
}

function addAccessConfig(call: CloudCall): CloudAnswer {
  const vm = requireInstance(call);
  const { natIps } = gcpFactsOf(call.account);
  const natIp = natIpIn(fieldsOf(call.body)) ?? '';
  const problem = natIpProblem(call, natIp);
  if (vm.isPublic || natIps.has(vm.id)) {
    throw new Refusal('invalid', 'At most one access config currently supported.');
  }
  if (problem === null) natIps.set(vm.id, natIp);
  return begun(call, 'addAccessConfig', { id: vm.name, region: vm.region }, { problem });
}
