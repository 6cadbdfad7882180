import type { SlurmSettings } from '@dstack/contract';
import type { Offer } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import type { ContainerOrder } from '../base/instance-port.ts';
import type { BatchSubmission, SlurmCluster } from './cluster.ts';
import { submitted } from './submission.ts';

const OFFER = { instance: { resources: { cpus: 1, memory_mib: 512, gpus: [] } } } as unknown;
const OWNER = { server: 's', project: 'main', fleet: 'f', instance: 'i' };

async function submissionOf(container: Partial<ContainerOrder>, hostJobs: boolean) {
  let last: BatchSubmission | null = null;
  const cluster = {
    ...{ config: { name: 'hpc', user: 'dev' }, hostJobs },
    submit: async (submission: BatchSubmission) => {
      last = submission;
    },
  } as unknown as SlurmCluster;
  const whole = {
    ...{ jobName: 'train-0-0', runName: 'train', image: 'busybox:1', user: null },
    ...{ registryAuth: null, mounts: [], settings: null, ...container },
  } as unknown as ContainerOrder;
  const order = { key: 'k', owner: OWNER, container: whole, nodes: 1 };
  await submitted(cluster, order, OFFER as Offer);
  return last as BatchSubmission | null;
}

const onHost = {
  settings: { kubernetes: null, slurm: { container: 'none' } as unknown as SlurmSettings },
};

describe('the order of a batch job', () => {
  it('has the image and the credentials of its container', async () => {
    const registryAuth = { username: 'me', password: 'p' };
    expect(await submissionOf({ registryAuth }, false)).toMatchObject({
      ...{ image: 'busybox:1', registryAuth },
    });
  });

  it.each(['/home/dev/private.sqsh', './private.sqsh', '../x.sqsh'])(
    'is refused with a file of the login user as its image: %s',
    async (image) => {
      await expect(submissionOf({ image }, false)).rejects.toThrow('`image` must be the name');
    },
  );

  it('is refused without a container, unless an administrator allows it', async () => {
    await expect(submissionOf(onHost, false)).rejects.toThrow(
      /`container: none` of run train is not allowed.*user dev of cluster hpc.*DSTACK_SLURM_HOST_JOBS=1/,
    );
    expect(await submissionOf(onHost, true)).toMatchObject({ image: null, registryAuth: null });
  });

  it('is refused for another user than that of the login', async () => {
    const user = {
      uid: 7,
      gid: 7,
      groups: [],
      username: null,
    } as unknown as ContainerOrder['user'];
    await expect(submissionOf({ ...onHost, user }, true)).rejects.toThrow('remove `user`');
  });
});
