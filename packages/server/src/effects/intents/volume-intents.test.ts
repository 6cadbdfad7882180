import {
  type Backend,
  BackendError,
  BusyError,
  NoAnswerError,
  type VolumeOrder,
  type VolumePort,
} from '@dstack/backends';
import type {
  AttachmentRecord,
  IntentRecord,
  VolumeIntentPayload,
  VolumeRecord,
} from '@dstack/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { AgentRefusal } from '../../hosts/agent-client.ts';
import { NotNow } from '../not-now.ts';
import { intentDescriptor } from './index.ts';

const HANDLE = { id: 'vol-1', region: 'eu', data: null };
const INSTANCE = { id: 'i', status: 'idle', handle: { id: 'i-1', data: null } };

let volume: VolumeRecord;
let attachment: AttachmentRecord | null;
/** Other volumes of the project. */
let others: VolumeRecord[];
let instance: object;
let agent: object | null;
let calls: string[];
let amended: object[];
let answers: Partial<VolumePort>;
let backend: Pick<Backend, 'volumes'> | null;

const volumes: VolumePort = {
  create: async (order) => {
    calls.push(`create ${order.key} ${order.name} in ${order.region}`);
    return (await answers.create?.(order)) ?? HANDLE;
  },
  register: async (id, { region }) => {
    calls.push(`register ${id} in ${region}`);
    return HANDLE;
  },
  observe: async () => ({ state: 'missing' }),
  delete: async (handle) => (await answers.delete?.(handle)) ?? 'deleted',
  attach: async (handle, to) =>
    (await answers.attach?.(handle, to)) ?? { state: 'attached', device: '/dev/sdf' },
  detach: async (handle, from, options) => {
    calls.push(`detach ${handle.id} from ${from.id}${options.force ? ' by force' : ''}`);
    return (await answers.detach?.(handle, from, options)) ?? { state: 'detached' };
  },
  list: async (owner) => (await answers.list?.(owner)) ?? [],
};

beforeEach(() => {
  volume = {
    ...{ id: 'v', projectId: 'p', name: 'data', backend: 'aws', external: false, handle: null },
    configuration: { region: 'eu', size: 10 },
    ...{ toBeDeleted: false, deleted: false, hostId: null, fleetId: null },
  } as unknown as VolumeRecord;
  attachment = { id: 'a', status: 'attaching' } as AttachmentRecord;
  others = [];
  instance = INSTANCE;
  agent = null;
  [calls, amended, answers] = [[], [], {}];
  backend = { volumes };
});

function carryOut(payload: VolumeIntentPayload) {
  const subjectId = 'instanceId' in payload ? 'a' : 'v';
  const intent = {
    key: `${payload.kind}:v:0`,
    kind: payload.kind,
    subjectId,
    payload,
  } as IntentRecord;
  const store = {
    volumes: {
      byId: async () => ({ volume, projectName: 'main' }),
      attachment: async () => attachment,
      list: async () => [volume, ...others].map((one) => ({ volume: one })),
    },
    instances: { byId: async () => ({ instance }) },
    engine: {
      amendIntent: async (_key: string, to: object) => {
        amended.push(to);
        return true;
      },
    },
  };
  const options = {
    store: store as never,
    backends: { find: async () => backend as Backend },
    serverId: 's',
    hosts: { client: () => agent },
  };
  return intentDescriptor(payload.kind).handle(options as never, intent);
}

const CREATE = { kind: 'volume.create', path: null, begun: false } as const;
const PLACE = { volumeId: 'v', instanceId: 'i' } as const;

describe('the creation of a volume', () => {
  it('records that it has begun before it asks the backend', async () => {
    expect(await carryOut(CREATE)).toEqual({ kind: 'volume.created', handle: HANDLE });
    expect(amended).toEqual([{ ...CREATE, begun: true }]);
    expect(calls).toEqual(['create volume.create:v:0 data in eu']);
  });

  it('is repeated with the same key, also for a volume that is to be deleted', async () => {
    volume = { ...volume, toBeDeleted: true };
    expect(await carryOut({ ...CREATE, begun: true })).toMatchObject({ kind: 'volume.created' });
    expect(calls).toEqual(['create volume.create:v:0 data in eu']);
    expect(amended).toEqual([]);
  });

  it('is announced to the backend as one that may have been made before', async () => {
    const orders: VolumeOrder[] = [];
    answers.create = async (order) => {
      orders.push(order);
      return HANDLE;
    };
    for (const begun of [false, true]) await carryOut({ ...CREATE, begun });
    expect(orders.map(({ mayExist }) => mayExist)).toEqual([false, true]);
  });

  it('does not begin for a volume that is to be deleted', async () => {
    volume = { ...volume, toBeDeleted: true };
    expect(await carryOut(CREATE)).toMatchObject({ kind: 'refused' });
    expect(calls).toEqual([]);
  });

  it('waits for a lost answer and for a busy provider, and is refused by any other answer', async () => {
    for (const error of [new NoAnswerError('connection reset'), new BusyError('429')]) {
      answers.create = () => Promise.reject(error);
      await expect(carryOut(CREATE)).rejects.toThrow(NotNow);
    }
    answers.create = () => Promise.reject(new BackendError('quota exceeded'));
    await expect(carryOut(CREATE)).rejects.toThrow(BackendError);
  });

  it('is found if the answer was lost and the backend refuses the repetition', async () => {
    answers.create = () => Promise.reject(new BackendError('500 Internal Server Error'));
    const begun = { ...CREATE, begun: true };
    await expect(carryOut(begun)).rejects.toThrow(BackendError);
    const owner = { server: 's', project: 'main', fleet: '', instance: 'data' };
    answers.list = async () => [{ handle: HANDLE, owner, key: 'volume.create:v:0' }];
    expect(await carryOut(begun)).toEqual({ kind: 'volume.created', handle: HANDLE });
    answers.list = () => Promise.reject(new BackendError('429 Too Many Requests'));
    await expect(carryOut(begun)).rejects.toThrow(NotNow);
  });

  it('is refused if the backend creates no volumes', async () => {
    backend = { volumes: null };
    expect(await carryOut(CREATE)).toMatchObject({
      ...{ kind: 'refused', message: 'This server cannot create volumes in backend aws' },
    });
  });

  it('may be a search for the volume of the user', async () => {
    await carryOut({ kind: 'volume.register', externalId: 'vol-9' });
    expect(calls).toEqual(['register vol-9 in eu']);
  });

  it('is refused for what is another volume of the project: the end of one would detach both', async () => {
    const register = () => carryOut({ kind: 'volume.register', externalId: 'vol-9' });
    volume = { ...volume, external: true, status: 'submitted', createdAt: 5 };
    const other = { ...volume, id: 'w', name: 'first', createdAt: 1 } as VolumeRecord;
    const configuration = { region: 'eu', volume_id: 'vol-9' } as VolumeRecord['configuration'];
    others = [{ ...other, configuration }];
    const message = 'Volume first of this project is vol-9 already; use it, or delete it first';
    expect(await register()).toMatchObject({ kind: 'refused', message });
    others = [{ ...other, external: false, handle: { ...HANDLE, id: 'vol-9' } }];
    expect(await register()).toMatchObject({ kind: 'refused', message });
    others = [
      { ...other, configuration, status: 'failed' },
      { ...other, configuration, createdAt: 9 },
      { ...other, configuration, backend: 'gcp' },
      { ...other, configuration: { ...configuration, region: 'us' } as never },
    ];
    expect(await register()).toMatchObject({ kind: 'volume.created' });
  });
});

describe('the deletion of a volume', () => {
  it('is refused by a busy provider, so that its pass reports why and repeats it', async () => {
    volume = { ...volume, handle: HANDLE, toBeDeleted: true };
    answers.delete = () => Promise.reject(new BusyError('429 Too Many Requests'));
    await expect(carryOut({ kind: 'volume.delete' })).rejects.toThrow(BusyError);
  });

  it('never deletes a volume of the user, and does nothing if none was created', async () => {
    answers.delete = () => Promise.reject(new Error('must not be called'));
    expect(await carryOut({ kind: 'volume.delete' })).toEqual({ kind: 'ok' });
    volume = { ...volume, handle: HANDLE, external: true };
    expect(await carryOut({ kind: 'volume.delete' })).toEqual({ kind: 'ok' });
  });

  it('goes on until the backend has deleted it', async () => {
    volume = { ...volume, handle: HANDLE };
    answers.delete = async () => 'deleting';
    await expect(carryOut({ kind: 'volume.delete' })).rejects.toThrow(NotNow);
    answers.delete = async () => 'deleted';
    expect(await carryOut({ kind: 'volume.delete' })).toEqual({ kind: 'ok' });
    backend = null;
    expect(await carryOut({ kind: 'volume.delete' })).toMatchObject({ reason: 'backend_missing' });
  });
});

describe('an attachment', () => {
  const ATTACH = { kind: 'volume.attach', ...PLACE } as const;
  beforeEach(() => {
    volume = { ...volume, handle: HANDLE };
  });

  it('is requested until it is made', async () => {
    answers.attach = async () => ({ state: 'pending', text: 'attaching' });
    await expect(carryOut(ATTACH)).rejects.toThrow('attaching');
    answers.attach = async () => ({ state: 'attached', device: null });
    expect(await carryOut(ATTACH)).toEqual({ kind: 'volume.attached', device: null });
  });

  it('is no longer made once it is not wanted', async () => {
    answers.attach = () => Promise.reject(new Error('must not be called'));
    attachment = { ...(attachment as AttachmentRecord), status: 'detaching' };
    expect(await carryOut(ATTACH)).toMatchObject({ kind: 'refused' });
    attachment = null;
    expect(await carryOut(ATTACH)).toMatchObject({ kind: 'refused' });
  });

  it('is ended, by force if that is ordered, and not at all on an instance that has ended', async () => {
    await carryOut({ kind: 'volume.detach', ...PLACE, force: false });
    await carryOut({ kind: 'volume.detach', ...PLACE, force: true });
    instance = { ...INSTANCE, status: 'terminated' };
    expect(await carryOut({ kind: 'volume.detach', ...PLACE, force: false })).toEqual({
      kind: 'ok',
    });
    expect(calls).toEqual(['detach vol-1 from i-1', 'detach vol-1 from i-1 by force']);
    instance = INSTANCE;
    answers.detach = async () => ({ state: 'pending', text: 'detaching' });
    const waiting = carryOut({ kind: 'volume.detach', ...PLACE, force: false });
    await expect(waiting).rejects.toThrow(NotNow);
  });

  it('is ended after the agent has unmounted its device, and by force without that', async () => {
    const detach = (force = false) => carryOut({ kind: 'volume.detach', ...PLACE, force });
    const attachmentData = { device_name: '/dev/sdf' };
    attachment = { ...(attachment as AttachmentRecord), status: 'detaching', attachmentData };
    instance = { ...INSTANCE, hostId: 'h' };
    await expect(detach()).rejects.toThrow('no link to host h');
    const inUse = new AgentRefusal(409, 'volume_in_use', 'A job mounts the volume v');
    agent = { unmountVolume: () => Promise.reject(inUse) };
    await expect(detach()).rejects.toThrow('A job mounts the volume v');
    expect(calls).toEqual([]);
    agent = {
      unmountVolume: async (id: string, { device }: { device: string }) =>
        void calls.push(`unmount ${id} from ${device}`),
    };
    await detach();
    agent = null;
    await detach(true);
    expect(calls).toEqual([
      ...['unmount v from /dev/sdf', 'detach vol-1 from i-1', 'detach vol-1 from i-1 by force'],
    ]);
  });

  it('is ended without unmounting where the agent of an earlier version mounts no devices', async () => {
    const attachmentData = { device_name: '/dev/sdf' };
    attachment = { ...(attachment as AttachmentRecord), status: 'detaching', attachmentData };
    instance = { ...INSTANCE, hostId: 'h' };
    const unknown = new AgentRefusal(404, 'not_found', 'Not found');
    agent = { unmountVolume: () => Promise.reject(unknown) };
    expect(await carryOut({ kind: 'volume.detach', ...PLACE, force: false })).toEqual({
      kind: 'ok',
    });
  });
});
