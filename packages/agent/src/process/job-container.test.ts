import { networkInterfaces } from 'node:os';
import { afterEach, expect, it } from 'vitest';
import { thisContainer, withOwnAddress } from './job-container.ts';

afterEach(() => {
  delete process.env.DSTACK_AGENT_NODE;
  delete process.env.OF_THE_IMAGE;
});

it('a job gets the variables of its container, without those of the agent', () => {
  process.env.OF_THE_IMAGE = 'yes';
  process.env.DSTACK_AGENT_NODE = '/dstack/node';
  const { env, workingDir } = thisContainer();
  expect(env).toMatchObject({ OF_THE_IMAGE: 'yes' });
  expect(env).not.toHaveProperty('DSTACK_AGENT_NODE');
  expect(workingDir).toBe(process.cwd());
});

it('the only job of a pod has the address of the pod, if the server names none', () => {
  const container = thisContainer();
  const cluster = {
    ...{ job_ips: [''], master_job_ip: '', gpus_per_job: 0, gpus_per_node: [0], host_keys: [] },
  };
  const own = withOwnAddress(cluster, container);
  const first = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4');
  expect(own.master_job_ip).toBe(first?.address ?? '');
  expect(own.job_ips).toEqual([first?.address ?? '']);
  expect(withOwnAddress(cluster, null)).toBe(cluster);
  const known = { ...cluster, job_ips: ['10.0.0.1', ''] };
  expect(withOwnAddress(known, container)).toBe(known);
});
