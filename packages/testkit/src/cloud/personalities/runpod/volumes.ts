/** Network volumes: named, in one data centre, mounted when a pod is made. */
import { fieldsOf, textField, wholeField } from '../../fields.ts';
import type { CloudCall } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';
import type { CloudVolume } from '../../volumes.ts';

export function listVolumes({ account }: CloudCall): CloudAnswer {
  return { status: 200, body: { networkVolumes: account.volumes.visible().map(volumeForm) } };
}

export function oneVolume({ account, params }: CloudCall): CloudAnswer {
  return { status: 200, body: volumeForm(account.volumes.require(params.id ?? '')) };
}

export function addVolume({ account, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  const volume = account.volumes.create({
    name: textField(fields, 'name'),
    sizeGib: wholeField(fields, 'size', 10, 4096),
    region: account.requireRegion(textField(fields, 'dataCenter')),
    tags: [],
  });
  return { status: 201, body: volumeForm(volume) };
}

export function removeVolume({ account, params }: CloudCall): CloudAnswer {
  const id = params.id ?? '';
  const isMounted = account.vms
    .all()
    .some(
      ({ container, state }) =>
        state !== 'ending' && container?.volumes.some((one) => one.id === id),
    );
  if (isMounted) throw new Refusal('conflict', 'Network volume is in use by a pod');
  account.volumes.delete(id);
  return { status: 204, body: null };
}

function volumeForm({ id, name, sizeGib: size, region: dataCenter }: CloudVolume) {
  return { id, name, size, dataCenter, type: 'STANDARD' };
}
