import type { JobSpecForAgent, VolumeDirectory, VolumeSource } from '@dstack/contract/agent';
import { isAttached, isJobFinished, isJobTerminating } from '@dstack/contract/status';
import type {
  AttachmentRecord,
  Change,
  Id,
  JobRecord,
  VolumeRecord,
  VolumeUseRecord,
} from '@dstack/core';
import { Breach } from './breach.ts';
import { volumeNamesOf } from './job-script.ts';
import { type HostWatch, mountsVolume, type SimHost } from './sim-hosts.ts';

export interface VolumeWatchOptions {
  readonly job: (id: Id) => JobRecord | null;
  /** All existing hosts. */
  readonly hosts: () => Iterable<SimHost>;
  readonly onBreach: (breach: unknown) => void;
}

/**
 * Follows volumes: their rows in the order of the commits, and events on hosts and at the provider
 * at the moment when they happen.
 */
export class VolumeWatch implements HostWatch {
  readonly #options: VolumeWatchOptions;
  readonly #volumes = new Map<Id, VolumeRecord>();
  readonly #attachments = new Map<Id, AttachmentRecord>();
  readonly #uses = new Map<Id, VolumeUseRecord[]>();

  constructor(options: VolumeWatchOptions) {
    this.#options = options;
  }

  created(volume: VolumeRecord): void {
    this.#volumes.set(volume.id, volume);
  }

  /** After the jobs of the same changes. */
  applied(changes: readonly Change[]): void {
    for (const change of changes) this.#apply(change);
    for (const change of changes) {
      if (change.type === 'attachment.insert') this.#checkOnePlace(change.attachment);
      else if (change.type === 'volume.update') this.#checkUnused(change.id, change.set);
      else if (change.type === 'intent.insert' && change.intent.kind === 'job.start') {
        this.#checkMounts(change.intent.subjectId);
      }
    }
  }

  #apply(change: Change): void {
    switch (change.type) {
      case 'volume.update':
        update(this.#volumes, change);
        return;
      case 'attachment.insert':
        this.#attachments.set(change.attachment.id, change.attachment);
        return;
      case 'attachment.update':
        update(this.#attachments, change);
        return;
      case 'attachment.delete':
        this.#attachments.delete(change.id);
        return;
      case 'volume-use.insert': {
        const { jobId } = change.use;
        this.#uses.set(jobId, [...(this.#uses.get(jobId) ?? []), change.use]);
        return;
      }
      case 'volume-use.delete':
        this.#uses.delete(change.jobId);
    }
  }

  /** Only a volume that several instances may use at once is being attached to a second one. */
  #checkOnePlace({ volumeId, id }: AttachmentRecord): void {
    const volume = this.#volumes.get(volumeId);
    const others = [...this.#attachments.values()].filter(
      (one) => one.volumeId === volumeId && one.id !== id,
    );
    if (volume?.shared || others.length === 0) return;
    throw new Breach(7, `volume ${volume?.name} is to be attached to a second instance`);
  }

  /** 7: a volume that a job mounts is not deleted. */
  #checkUnused(id: Id, { toBeDeleted, deleted }: Partial<VolumeRecord>): void {
    if (!toBeDeleted && !deleted) return;
    const { name } = this.#volumes.get(id) ?? {};
    for (const [jobId, uses] of this.#uses) {
      const job = this.#options.job(jobId);
      if (!uses.some((use) => use.volumeId === id) || !job || isJobFinished(job.status)) continue;
      throw new Breach(7, `volume ${name} is deleted while ${job.name} (${job.status}) mounts it`);
    }
  }

  /** 7: a job is started with all of its volumes attached to its instance. */
  #checkMounts(jobId: Id): void {
    const job = this.#options.job(jobId);
    if (!job) return;
    const uses = this.#uses.get(jobId) ?? [];
    if (uses.length !== volumeNamesOf(job.spec).length) {
      throw new Breach(7, `${job.name} is started with ${uses.length} volumes`);
    }
    for (const { volumeId } of uses) {
      const attachment = [...this.#attachments.values()].find(
        (one) => one.volumeId === volumeId && one.instanceId === job.instanceId,
      );
      if (attachment && isAttached(attachment.status)) continue;
      const name = this.#volumes.get(volumeId)?.name;
      const status = attachment?.status ?? 'not attached';
      throw new Breach(7, `${job.name} is started while volume ${name} is ${status}`);
    }
  }

  onStarted(_: SimHost, spec: JobSpecForAgent): void {
    this.#report(() => this.#checkStarted(spec));
  }

  /**
   * 7: the mounted volumes are those that placement has assigned to the job, in the order of its
   * mounts.
   */
  #checkStarted(spec: JobSpecForAgent): void {
    const job = this.#liveJob(spec.id);
    if (!job) return;
    const uses = [...(this.#uses.get(job.id) ?? [])].sort((a, b) => a.mountNum - b.mountNum);
    const mounted = spec.mounts.flatMap(({ volume }) => (volume ? [volume.id] : []));
    const names = volumeNamesOf(job.spec);
    for (const [index, { volumeId }] of uses.entries()) {
      const volume = this.#volumes.get(volumeId);
      const isNamed = volume && names[index]?.includes(volume.name);
      if (isNamed && mounted[index] === volumeId && volume.projectId === job.projectId) continue;
      throw new Breach(7, `${job.name} mounts ${mounted[index]} as ${names[index]}`);
    }
    if (mounted.length !== names.length) throw new Breach(7, `${job.name} lacks a volume`);
  }

  /** 7: only the server takes a volume from a host, and not while a job needs it. */
  onVolumeMissing(host: SimHost, spec: JobSpecForAgent, volume: VolumeSource): void {
    this.#report(() => {
      const job = this.#liveJob(spec.id);
      if (!job || host.volumes.isElsewhere(volume)) return;
      throw new Breach(7, `a volume of ${job.name} is not on ${host.id} when it starts`);
    });
  }

  /** 7: a mounted device is detached by force only, and never under a job. */
  onDetaching(host: SimHost, device: string, isForced: boolean): void {
    this.#report(() => {
      const [id] = [...host.volumes.devices].find(([, path]) => path === device) ?? [];
      if (id === undefined) return;
      const name = this.#volumes.get(id)?.name;
      if (!isForced) throw new Breach(7, `volume ${name} is detached while it is mounted`);
      const jobs = host.jobs.running.filter(({ spec }) => mountsVolume(spec, id));
      const job = jobs.map(({ spec }) => this.#liveJob(spec.id)).find((one) => one !== null);
      if (job) throw new Breach(7, `volume ${name} is detached under ${job.name}`);
      host.volumes.devices.delete(id);
    });
  }

  /** 7: only a volume that is marked for deletion is deleted, and not under a job. */
  onVolumeDeleted(_: SimHost, { id }: VolumeDirectory): void {
    this.#report(() => this.checkDeletion(id));
  }

  checkDeletion(id: Id): void {
    const volume = this.#volumes.get(id);
    if (!volume?.toBeDeleted) throw new Breach(7, `the data of volume ${volume?.name} are deleted`);
    for (const host of this.#options.hosts()) {
      for (const { spec } of host.jobs.running) {
        const job = mountsVolume(spec, id) ? this.#liveJob(spec.id) : null;
        if (job) throw new Breach(7, `volume ${volume.name} is deleted under ${job.name}`);
      }
    }
  }

  /** Null: its process may still be alive, but no record depends on it. */
  #liveJob(id: Id): JobRecord | null {
    const job = this.#options.job(id);
    return job && !isJobFinished(job.status) && !isJobTerminating(job.status) ? job : null;
  }

  /** A finding must not stop hosts and providers. */
  #report(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#options.onBreach(error);
    }
  }
}

function update<T extends { readonly id: Id }>(
  records: Map<Id, T>,
  { id, set }: { readonly id: Id; readonly set: object },
): void {
  const known = records.get(id);
  if (known) records.set(id, { ...known, ...set });
}
