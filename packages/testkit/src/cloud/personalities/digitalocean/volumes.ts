/** Block storage, and the actions by which clients follow what takes time. */
import type { CloudAccount } from '../../account.ts';
import { type Fields, fieldsOf, textField, textList, wholeField, wrong } from '../../fields.ts';
import type { CloudCall, CloudRoute } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';
import type { CloudTag } from '../../vm.ts';
import { actionForm, volumeForm } from './forms.ts';
import { paged } from './pages.ts';

const NAME = /^[a-z][a-z0-9-]{0,63}$/;
const TAG = /^[a-zA-Z0-9_\-:]{1,255}$/;
const MAX_GIB = 16_384;

export const volumeRoutes: readonly CloudRoute[] = [
  { method: 'GET', path: '/v2/volumes', answer: listVolumes },
  { method: 'POST', path: '/v2/volumes', answer: createVolume },
  {
    method: 'GET',
    path: '/v2/volumes/{id}',
    answer: ({ account, params }) => ({
      status: 200,
      body: { volume: volumeForm(account.volumes.require(params.id ?? ''), account) },
    }),
  },
  {
    method: 'DELETE',
    path: '/v2/volumes/{id}',
    answer: ({ account, params }) => {
      account.volumes.delete(params.id ?? '');
      return { status: 204, body: null };
    },
  },
  { method: 'POST', path: '/v2/volumes/{id}/actions', answer: actOnVolume },
  { method: 'GET', path: '/v2/volumes/{id}/actions/{action}', answer: showAction },
];

export const actionRoutes: readonly CloudRoute[] = [
  { method: 'GET', path: '/v2/actions/{action}', answer: showAction },
];

/** Flat tags, as droplets and volumes have them. */
export function tagsOf(fields: Fields): readonly CloudTag[] {
  return textList(fields, 'tags').map((key) => {
    if (TAG.test(key)) return { key, value: null };
    throw wrong('Tag names', 'may contain letters, numbers, colons, dashes, and underscores');
  });
}

/** Before a droplet is made with them. */
export function requireAttachable(
  account: CloudAccount,
  volumes: readonly string[],
  region: string,
): void {
  for (const id of volumes) {
    const volume = account.volumes.require(id);
    if (volume.attachment !== null) throw wrong('volumes', `${id} is attached`);
    if (volume.region !== region) throw wrong('volumes', `${id} is in ${volume.region}`);
  }
}

function listVolumes(call: CloudCall): CloudAnswer {
  const { account, query } = call;
  const [name, region] = [query.get('name'), query.get('region')];
  const volumes = account.volumes
    .visible()
    .filter((one) => (!name || one.name === name) && (!region || one.region === region));
  return paged(call, 'volumes', volumes, (volume) => volumeForm(volume, account));
}

function createVolume({ account, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  const name = textField(fields, 'name', { max: 64 });
  if (!NAME.test(name)) throw wrong('name', 'must begin with a letter');
  const region = account.requireRegion(textField(fields, 'region'));
  const isTaken = account.volumes.all().some((one) => one.name === name && one.region === region);
  if (isTaken)
    throw new Refusal('conflict', 'Volume with that name already exists in that region.');
  const sizeGib = wholeField(fields, 'size_gigabytes', 1, MAX_GIB);
  const volume = account.volumes.create({ name, region, sizeGib, tags: tagsOf(fields) });
  return { status: 201, body: { volume: volumeForm(volume, account) } };
}

function actOnVolume({ account, params, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  const volume = account.volumes.require(params.id ?? '');
  const kind = textField(fields, 'type');
  const vm = account.vms.require(
    String(wholeField(fields, 'droplet_id', 1, Number.MAX_SAFE_INTEGER)),
  );
  const seconds = () => {
    if (kind === 'attach') return account.volumes.attach(volume.id, vm);
    if (kind === 'detach') return account.volumes.detach(volume.id, vm.id);
    throw wrong('type', 'must be attach or detach');
  };
  const operation = account.operations.begin(`${kind}_volume`, volume, seconds());
  return { status: 202, body: { action: actionForm(operation, account) } };
}

function showAction({ account, params }: CloudCall): CloudAnswer {
  const operation = account.operations.get(Number(params.action));
  return { status: 200, body: { action: actionForm(operation, account) } };
}
