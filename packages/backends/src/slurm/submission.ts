import type { Offer } from '@dstack/core';
import { SkipOfferError } from '../base/errors.ts';
import type { ContainerOrder, OwnerTags } from '../base/port.ts';
import { commentOf, jobName } from './batch.ts';
import type { SlurmCluster } from './cluster.ts';

export interface JobOrder {
  readonly key: string;
  /** `instance` is empty for a group. */
  readonly owner: OwnerTags;
  readonly container: ContainerOrder | null | undefined;
  readonly nodes: number;
}

/** Submits the batch job of an instance or a group; returns its name. */
export async function submitted(
  cluster: SlurmCluster,
  { key, owner, container, nodes }: JobOrder,
  offer: Offer,
): Promise<string> {
  if (!container) {
    throw new SkipOfferError('a Slurm cluster starts instances with their jobs only');
  }
  if (container.registryAuth !== null) {
    throw new SkipOfferError(
      'Slurm clusters take no `registry_auth`: enroot and apptainer use the credentials of the login user',
    );
  }
  if (container.mounts.length > 0) throw new SkipOfferError('Slurm clusters have no volumes');
  const name = jobName([owner.project, container.jobName], key);
  await cluster.submit({
    ...{ name, image: container.image },
    arguments: {
      comment: commentOf({ key, owner, resources: offer.instance.resources }),
      ...{ offer, nodes, settings: container.settings?.slurm ?? null },
    },
  });
  return name;
}
