/**
 * Network volumes of RunPod. They have a name and no tags, so the name holds a digest of the order's key and one of
 * the installation. A pod mounts its volume when it is made, so there is nothing to attach.
 */
import { createHash } from 'node:crypto';
import type { VolumeHandle } from '@dstack/core';
import { BackendError, NoAnswerError, PreparingError } from '../base/errors.ts';
import { vmName } from '../base/rest-vm/names.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { MissingThingError } from '../base/rest-vm/refusals.ts';
import type { ListedVolume, VolumeOrder, VolumePort } from '../base/volume-port.ts';
import type { NetworkVolume, RunpodApi } from './api.ts';

export interface RunpodVolumesOptions {
  readonly api: RunpodApi;
  /** Data centres of the configuration; null = all. */
  readonly regions: readonly string[] | null;
  readonly pace: Pick<CallPace, 'now'>;
}

/** How long lists may lack a new volume. */
const LATE_MS = 30_000;
const SIZES = { least: 10, most: 4096 };
/** GB from which on each GB is cheaper, and cents per GB and month. */
const PRICES = { large: 1000, small: 7, cheap: 5 };
const MARK_DIGITS = 8;
const IN_USE = /in use/i;

export function runpodVolumes({ api, regions, pace }: RunpodVolumesOptions): VolumePort {
  /** Orders without an answer, by name: until when they are looked for. */
  const doubts = new Map<string, number>();
  const find = async (id: string) => (await api.volumes()).find((one) => one.id === id) ?? null;

  async function create(order: VolumeOrder): Promise<VolumeHandle> {
    const name = volumeName(order);
    const made = (await api.volumes()).find((one) => one.name === name);
    if (made) {
      doubts.delete(name);
      return handleOf(made);
    }
    // The doubts of an earlier process ended with it.
    const known = doubts.get(name) ?? (order.mayExist ? pace.now() + LATE_MS : null);
    if (known !== null && pace.now() < known) {
      doubts.set(name, known);
      throw new PreparingError('RunPod: looking for the volume of an order without an answer');
    }
    const body = { name, size: sizeOf(order), dataCenter: regionOf(order.region, regions) };
    try {
      const created = await api.createVolume(body);
      doubts.delete(name);
      return handleOf(created);
    } catch (error) {
      if (error instanceof NoAnswerError) doubts.set(name, pace.now() + LATE_MS);
      throw error;
    }
  }

  return {
    create,
    register: async (id, where) => {
      const region = regionOf(where.region, regions);
      const found = await find(id);
      if (found?.dataCenter === region) return handleOf(found);
      const place = found === null ? '' : ` (it is in ${found.dataCenter})`;
      throw new BackendError(`RunPod: no network volume ${id} in ${region}${place}`);
    },
    observe: async ({ id }) => {
      const found = await find(id);
      if (found === null) return { state: 'missing' };
      const { size } = found;
      const cents = size * (size < PRICES.large ? PRICES.small : PRICES.cheap);
      const price = Math.round(cents) / 100;
      const unknown = { usedGib: null, availabilityZone: null };
      return { state: 'ready', sizeGib: size, price, shared: true, ...unknown };
    },
    delete: async ({ id }) => {
      try {
        await api.deleteVolume(id);
      } catch (error) {
        if (error instanceof MissingThingError) return 'deleted';
        if (error instanceof BackendError && IN_USE.test(error.message)) return 'deleting';
        throw error;
      }
      return 'deleted';
    },
    attach: async () => ({ state: 'attached', device: null }),
    detach: async () => ({ state: 'detached' }),
    list: async ({ server }) => {
      const mark = `-${markOf(server)}`;
      const ours = (await api.volumes()).filter(
        ({ name }) => name.startsWith('dstack-') && name.endsWith(mark),
      );
      return ours.map((volume): ListedVolume => {
        const owner = { server, project: '', fleet: '', instance: '' };
        return { handle: handleOf(volume), owner, key: null };
      });
    },
  };
}

const volumeName = ({ key, owner }: Pick<VolumeOrder, 'key' | 'owner'>): string =>
  `${vmName(key)}-${markOf(owner.server)}`;

const markOf = (server: string): string =>
  createHash('sha256').update(server).digest('hex').slice(0, MARK_DIGITS);

const handleOf = ({ id, dataCenter: region }: NetworkVolume): VolumeHandle => ({
  ...{ id, region, data: null },
});

function sizeOf({ sizeGib }: VolumeOrder): number {
  const size = Math.ceil(sizeGib ?? 0);
  if (size >= SIZES.least && size <= SIZES.most) return size;
  throw new BackendError(
    `RunPod: a network volume has ${SIZES.least} to ${SIZES.most} GB, not ${size} (size)`,
  );
}

/** Its data centres are written in capitals; in small letters it accepts them, and loses the volume. */
function regionOf(region: string, regions: readonly string[] | null): string {
  const found = region.toUpperCase();
  if (regions === null || regions.some((one) => one.toUpperCase() === found)) return found;
  throw new BackendError(
    `RunPod: ${region} is not among the regions of the backend: ${regions.join(', ')}`,
  );
}
