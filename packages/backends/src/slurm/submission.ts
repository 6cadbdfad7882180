import type { Offer } from '@dstack/core';
import { RefusedOrderError } from '../base/errors.ts';
import type { ContainerOrder, OnPreparing } from '../base/instance-port.ts';
import type { OwnerTags } from '../base/owner-tags.ts';
import { commentOf } from './batch.ts';
import type { SlurmCluster } from './cluster.ts';
import { checkCredentials } from './credentials.ts';
import { jobName } from './job-name.ts';

export interface JobOrder {
  readonly key: string;
  /** `instance` is empty for a group. */
  readonly owner: OwnerTags;
  readonly container: ContainerOrder | null | undefined;
  readonly nodes: number;
  readonly onPreparing?: OnPreparing | undefined;
}

/** Submits the batch job of an instance or a group; returns its name. */
export async function submitted(
  cluster: SlurmCluster,
  { key, owner, container, nodes, onPreparing = () => {} }: JobOrder,
  offer: Offer,
): Promise<string> {
  if (!container) {
    throw new RefusedOrderError('a Slurm cluster starts instances with their jobs only');
  }
  if (container.registryAuth) checkCredentials(container.registryAuth);
  if (container.mounts.length > 0) throw new RefusedOrderError('Slurm clusters have no volumes');
  const isOnHost = container.settings?.slurm?.container === 'none';
  if (isOnHost) checkHostJob(cluster, container);
  else checkImage(container.image);
  const name = jobName([owner.project, container.jobName], key);
  await cluster.submit({
    ...{ name, image: isOnHost ? null : container.image, onPreparing },
    registryAuth: isOnHost ? null : container.registryAuth,
    arguments: {
      comment: commentOf({ key, owner, resources: offer.instance.resources }),
      ...{ offer, nodes, settings: container.settings?.slurm ?? null },
    },
  });
  return name;
}

/** pyxis takes what begins like a path as a file, and opens it with the rights of the login user. */
function checkImage(image: string): void {
  if (/^[./]/.test(image)) {
    throw new RefusedOrderError(
      'on Slurm clusters `image` must be the name of an image in a registry',
    );
  }
}

/** Such a job is the login user, who can read the tokens of all jobs on the cluster. */
function checkHostJob({ config, hostJobs }: SlurmCluster, { user, runName }: ContainerOrder): void {
  if (!hostJobs) {
    throw new RefusedOrderError(
      `\`container: none\` of run ${runName} is not allowed: it would run as user ${config.user} of cluster ${config.name}, who can reach the files of all jobs there. An administrator can allow it with DSTACK_SLURM_HOST_JOBS=1`,
    );
  }
  if (user !== null) {
    throw new RefusedOrderError('a run with `container: none` has the login user: remove `user`');
  }
}
