/** Actions of users on the volumes of a simulation. */
import { VolumeConfiguration } from '@dstack/contract/wire';
import type { ProjectRecord } from '@dstack/store';
import { createVolume, deleteVolumes } from '../../http/volumes/service.ts';
import { REGION, VOLUMES_OF_USERS } from './sim-backends.ts';
import type { UserParts } from './user-parts.ts';

/** Every project has its own volumes of these names. */
export const VOLUME_NAMES = ['data-0', 'data-1', 'data-2', 'data-3'];

type Kind = 'cloud' | 'registered' | 'shared' | 'disk' | 'local';

/** The volumes that each project can have, by its number. */
const KINDS: readonly Readonly<Partial<Record<Kind, number>>>[] = [
  { cloud: 4, registered: 2, local: 2 },
  { shared: 3, disk: 3, local: 2 },
  { cloud: 4, registered: 2 },
];

export class UserVolumes {
  readonly #parts: UserParts;

  constructor(parts: UserParts) {
    this.#parts = parts;
  }

  async create(): Promise<void> {
    const { deps, random, user, projects } = this.#parts;
    const number = random.whole(0, projects.length - 1);
    const project = projects[number];
    const kind = random.weighted((KINDS[number] ?? {}) as Record<Kind, number>);
    const configuration = this.#configuration(random.pick(VOLUME_NAMES) ?? '', kind);
    if (project) await createVolume(deps, project, configuration, user);
  }

  async delete(): Promise<void> {
    const { deps, random, user, projects } = this.#parts;
    const project = random.pick(projects);
    if (project) await deleteVolumes(deps, project, [random.pick(VOLUME_NAMES) ?? ''], user);
  }

  async deleteAll(): Promise<void> {
    const { deps, user, projects } = this.#parts;
    for (const project of projects) await deleteVolumes(deps, project, VOLUME_NAMES, user);
  }

  /** The volumes that a run of the project may name. */
  async namesIn({ id }: ProjectRecord): Promise<readonly string[]> {
    const { store } = this.#parts;
    const views = await store.volumes.list({ projectIds: [id], onlyActive: true });
    return views.map(({ volume }) => volume.name);
  }

  #configuration(name: string, kind: Kind): VolumeConfiguration {
    const { random } = this.#parts;
    const cleanup = random.pick([null, null, null, 60, 900]);
    const base = { type: 'volume', name, auto_cleanup_duration: cleanup };
    const zone = random.chance(0.3) ? { availability_zone: `split-${random.whole(0, 2)}` } : {};
    const forms: Readonly<Record<Kind, object>> = {
      cloud: { ...base, backend: 'aws', region: REGION, size: '10GB' },
      registered: {
        ...{ type: 'volume', name, backend: 'aws', region: REGION },
        volume_id: random.pick([...VOLUMES_OF_USERS, 'missing']),
      },
      shared: { ...base, backend: 'remote', region: 'cluster' },
      disk: { ...base, backend: 'remote', region: 'split', size: '10GB', ...zone },
      local: { ...base, backend: 'remote', region: 'local', size: '10GB' },
    };
    return VolumeConfiguration.parse(forms[kind]);
  }
}
