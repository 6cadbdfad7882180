/** The network of the project: its subnetworks, its routers, and the rules of its firewall. */
import { fieldsOf, textField } from '../../fields.ts';
import type { CloudCall, CloudRoute } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';
import { BASE, begun, requireProject } from './calls.ts';
import { PROJECT, REGIONS } from './catalog.ts';
import { gcpFactsOf } from './facts.ts';
import { linkOf } from './forms.ts';
import { aggregated, paged } from './lists.ts';

export const networkRoutes: readonly CloudRoute[] = [
  { method: 'GET', path: `${BASE}/aggregated/subnetworks/listUsable`, answer: listUsable },
  { method: 'GET', path: `${BASE}/aggregated/routers`, answer: listRouters },
  { method: 'POST', path: `${BASE}/global/firewalls`, answer: insertFirewall },
];

function listUsable(call: CloudCall): CloudAnswer {
  requireProject(call);
  const all = REGIONS.flatMap((region) => [
    { region, name: 'proxies', purpose: 'REGIONAL_MANAGED_PROXY' },
    { region, name: 'default', purpose: 'PRIVATE' },
  ]);
  const kind = 'compute#usableSubnetworksAggregatedList';
  return paged(call, kind, all, ({ region, name, purpose }) => ({
    subnetwork: linkOf(call.url, `regions/${region}/subnetworks/${name}`),
    network: linkOf(call.url, 'global/networks/default'),
    ...{ ipCidrRange: '10.128.0.0/20', purpose },
  }));
}

function listRouters(call: CloudCall): CloudAnswer {
  requireProject(call);
  const routers = [...gcpFactsOf(call.account).nats].map((region) => ({
    scope: `regions/${region}`,
    form: {
      ...{ kind: 'compute#router', name: 'nat', region: linkOf(call.url, `regions/${region}`) },
      network: linkOf(call.url, 'global/networks/default'),
      nats: [{ name: 'nat', natIpAllocateOption: 'AUTO_ONLY' }],
    },
  }));
  return aggregated(call, 'routers', routers);
}

function insertFirewall(call: CloudCall): CloudAnswer {
  requireProject(call);
  const { firewalls } = gcpFactsOf(call.account);
  const name = textField(fieldsOf(call.body), 'name', { max: 63 });
  const path = `projects/${PROJECT}/global/firewalls/${name}`;
  if (firewalls.has(name)) throw new Refusal('conflict', `The resource '${path}' already exists`);
  firewalls.add(name);
  return begun(call, 'insert', { id: linkOf(call.url, path), region: 'global' });
}
