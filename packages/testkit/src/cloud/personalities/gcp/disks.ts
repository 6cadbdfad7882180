/** Persistent disks. */
import { type Fields, fieldsOf, textField } from '../../fields.ts';
import type { CloudCall, CloudRoute } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';
import type { CloudVolume } from '../../volumes.ts';
import { begun, IN_ZONE, requireInstance, requireProject } from './calls.ts';
import { PROJECT } from './catalog.ts';
import { gcpFactsOf } from './facts.ts';
import { linkOf } from './forms.ts';
import { aggregated } from './lists.ts';

export const diskRoutes: readonly CloudRoute[] = [
  { method: 'GET', path: '/compute/v1/projects/{project}/aggregated/disks', answer: listDisks },
  { method: 'POST', path: `${IN_ZONE}/disks`, answer: insertDisk },
  {
    method: 'GET',
    path: `${IN_ZONE}/disks/{disk}`,
    answer: (call) => ({ status: 200, body: diskForm(requireDisk(call, call.params.disk), call) }),
  },
  { method: 'DELETE', path: `${IN_ZONE}/disks/{disk}`, answer: deleteDisk },
  { method: 'POST', path: `${IN_ZONE}/instances/{name}/attachDisk`, answer: attachDisk },
  { method: 'POST', path: `${IN_ZONE}/instances/{name}/detachDisk`, answer: detachDisk },
];

function listDisks(call: CloudCall): CloudAnswer {
  requireProject(call);
  const { unreachable } = gcpFactsOf(call.account);
  const items = call.account.volumes
    .visible()
    .filter(({ region }) => !unreachable.has(region))
    .map((disk) => ({ scope: `zones/${disk.region}`, form: diskForm(disk, call) }));
  return aggregated(call, 'disks', items, unreachable);
}

const STATUSES: Readonly<Record<CloudVolume['state'], string>> = {
  ...{ pending: 'CREATING', ready: 'READY', failed: 'FAILED' },
};

function diskForm(disk: CloudVolume, { account, url }: CloudCall): object {
  const { id, name, region: zone, sizeGib, state, tags, attachment } = disk;
  const inZone = linkOf(url, `zones/${zone}`);
  const vm = attachment === null ? null : account.vms.get(attachment.vm);
  const isAttached = vm !== null && attachment?.state !== 'attaching';
  return {
    ...{ kind: 'compute#disk', id, name, zone: inZone, selfLink: `${inZone}/disks/${name}` },
    ...{
      status: STATUSES[state],
      sizeGb: String(sizeGib),
      type: `${inZone}/diskTypes/pd-balanced`,
    },
    labels: Object.fromEntries(tags.map(({ key, value }) => [key, value ?? ''])),
    ...(isAttached && { users: [`${inZone}/instances/${vm.name}`] }),
  };
}

function requireDisk({ account, params }: CloudCall, name = ''): CloudVolume {
  const isIt = (one: CloudVolume) => one.region === params.zone && one.name === name;
  const disk = account.volumes.visible().find(isIt);
  if (disk) return disk;
  const path = `projects/${PROJECT}/zones/${params.zone}/disks/${name}`;
  throw new Refusal('not_found', `The resource '${path}' was not found`);
}

function insertDisk(call: CloudCall): CloudAnswer {
  requireProject(call);
  const { account, params, url } = call;
  const { zone = '' } = params;
  const body = fieldsOf(call.body);
  const name = textField(body, 'name', { max: 63 });
  const path = `projects/${PROJECT}/zones/${zone}/disks/${name}`;
  if (account.volumes.all().some((one) => one.region === zone && one.name === name)) {
    throw new Refusal('conflict', `The resource '${path}' already exists`);
  }
  account.volumes.create({
    ...{ name, region: zone, sizeGib: Number(textField(body, 'sizeGb')), tags: tagsOf(body) },
  });
  return begun(call, 'insert', { id: linkOf(url, path), region: zone });
}

function tagsOf({ labels }: Fields) {
  return Object.entries((labels ?? {}) as Readonly<Record<string, string>>).map(([key, value]) => ({
    ...{ key, value },
  }));
}

function deleteDisk(call: CloudCall): CloudAnswer {
  const disk = requireDisk(call, call.params.disk);
  if (disk.attachment !== null) throw inUse(disk);
  call.account.volumes.delete(disk.id);
  return begun(call, 'delete', { id: disk.name, region: disk.region });
}

const inUse = ({ name }: CloudVolume): Refusal =>
  new Refusal('not_now', `The disk resource '${name}' is already being used`);

function attachDisk(call: CloudCall): CloudAnswer {
  const { account } = call;
  const vm = requireInstance(call);
  const body = fieldsOf(call.body);
  const disk = requireDisk(call, textField(body, 'source').split('/').at(-1));
  if (disk.attachment !== null) throw inUse(disk);
  const seconds = account.volumes.attach(disk.id, vm);
  gcpFactsOf(account).devices.set(disk.id, textField(body, 'deviceName'));
  return begun(call, 'attachDisk', { id: vm.name, region: vm.region }, { seconds });
}

/** A disk is attached while the operation to detach it is under way. */
function detachDisk(call: CloudCall): CloudAnswer {
  const { account, query } = call;
  const vm = requireInstance(call);
  const { devices } = gcpFactsOf(account);
  const disk = account.volumes
    .all()
    .find(
      ({ id, attachment }) =>
        attachment?.vm === vm.id && devices.get(id) === query.get('deviceName'),
    );
  if (disk === undefined) throw new Refusal('invalid', 'No attached disk found');
  const seconds = account.volumes.detach(disk.id, vm.id, true);
  return begun(call, 'detachDisk', { id: vm.name, region: vm.region }, { seconds });
}

/** The disks of a machine, as it names them. */
export function attachedForms(call: CloudCall, vm: { readonly id: string }): readonly object[] {
  const { devices } = gcpFactsOf(call.account);
  return call.account.volumes
    .all()
    .filter(({ attachment }) => attachment?.vm === vm.id)
    .map(({ id, name, region }) => ({
      ...{ kind: 'compute#attachedDisk', deviceName: devices.get(id) ?? id },
      source: linkOf(call.url, `zones/${region}/disks/${name}`),
    }));
}
