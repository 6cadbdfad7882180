/** The resources of Compute Engine as its discovery document has them. */
import type { Fields } from '../../fields.ts';
import type { Operation } from '../../operations.ts';
import type { Vm } from '../../vm.ts';
import { PROJECT, regionOfZone, ZONES } from './catalog.ts';

/** An address at the simulated API. */
export const linkOf = (url: string, path: string): string =>
  `${url}/compute/v1/projects/${PROJECT}/${path}`;

const STATUSES: Readonly<Record<Vm['state'], string>> = {
  pending: 'PROVISIONING',
  running: 'RUNNING',
  failed: 'TERMINATED',
  interrupted: 'STOPPING',
  ending: 'STOPPING',
};

/**
 * `body`: of its insertion; empty for a machine that a person has made elsewhere. `natIp`: its static address; null =
 * it has none.
 */
export function instanceForm(
  vm: Vm,
  {
    body,
    natIp,
    url,
  }: { readonly body: Fields; readonly natIp: string | null; readonly url: string },
): object {
  const { id, name, region: zone, privateAddress, createdAt } = vm;
  const isPublic = vm.isPublic || natIp !== null;
  const address = natIp ?? vm.address;
  const inZone = linkOf(url, `zones/${zone}`);
  const [first] = (body.networkInterfaces ?? []) as readonly Fields[];
  return {
    ...{
      kind: 'compute#instance',
      id,
      name,
      zone: inZone,
      selfLink: `${inZone}/instances/${name}`,
    },
    ...{ status: STATUSES[vm.state], creationTimestamp: new Date(createdAt / 1000).toISOString() },
    machineType: `${inZone}/machineTypes/${vm.type.name}`,
    labels: Object.fromEntries(vm.tags.map(({ key, value }) => [key, value ?? ''])),
    metadata: { kind: 'compute#metadata', fingerprint: 'a', ...(body.metadata as object) },
    tags: { fingerprint: 'a', ...(body.tags as object) },
    scheduling: { automaticRestart: true, ...(body.scheduling as object) },
    ...(body.guestAccelerators !== undefined && { guestAccelerators: body.guestAccelerators }),
    networkInterfaces: [
      {
        ...{ kind: 'compute#networkInterface', name: 'nic0', networkIP: privateAddress },
        ...{ network: first?.network, subnetwork: first?.subnetwork },
        ...(isPublic && {
          accessConfigs: [
            {
              ...{ kind: 'compute#accessConfig', type: 'ONE_TO_ONE_NAT', name: 'External NAT' },
              ...(address !== null && { natIP: address }),
            },
          ],
        }),
      },
    ],
  };
}

export const operationName = (id: number): string => `operation-${id}`;

const MESSAGES: Readonly<Record<string, string>> = {
  ZONE_RESOURCE_POOL_EXHAUSTED:
    'The zone does not have enough resources available to fulfill the request. Try a different zone, or try again later.',
  QUOTA_EXCEEDED: "Quota 'CPUS' exceeded. Limit: 72.0 in region us-central1.",
};

/** The problem of an operation is the code of its error. */
export function operationForm(
  { id, kind, target, region, ...rest }: Operation,
  url: string,
): object {
  const { startedAt, state, problem } = rest;
  const at = new Date(startedAt / 1000).toISOString();
  const isZonal = ZONES.some((zone) => zone === region);
  const place = isZonal ? `zones/${region}` : 'global';
  return {
    ...{ kind: 'compute#operation', id: String(id), name: operationName(id), operationType: kind },
    ...{ selfLink: linkOf(url, `${place}/operations/${operationName(id)}`), insertTime: at },
    ...{ status: state === 'running' ? 'RUNNING' : 'DONE', startTime: at, targetLink: target },
    ...(isZonal && { zone: linkOf(url, `zones/${region}`) }),
    progress: state === 'running' ? 0 : 100,
    ...(state === 'failed' &&
      problem !== null && {
        error: { errors: [{ code: problem, message: MESSAGES[problem] ?? problem }] },
        ...{ httpErrorStatusCode: 503, httpErrorMessage: 'SERVICE UNAVAILABLE' },
      }),
  };
}

export function regionForm(name: string, quotas: ReadonlyMap<string, number>, url: string): object {
  return {
    ...{ kind: 'compute#region', name, status: 'UP', selfLink: linkOf(url, `regions/${name}`) },
    zones: ZONES.filter((zone) => regionOfZone(zone) === name).map((zone) =>
      linkOf(url, `zones/${zone}`),
    ),
    quotas: [...quotas].map(([metric, limit]) => ({ metric, limit, usage: 0 })),
  };
}
