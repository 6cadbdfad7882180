import type { Resources } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { batchArguments, batchScript, commentFrom, commentOf } from './batch.ts';
import { isJobName, jobName } from './job-name.ts';

const offer = {
  instance: { resources: { cpus: 4, memory_mib: 8192, gpus: [{}, {}] } },
  availability_zones: ['gpu', 'low'],
} as unknown as Offer;

const RESOURCES: Resources = {
  ...{ cpus: 4, memory_mib: 8192, gpus: [], spot: false, disk: { size_mib: 0 } },
  ...{ cpu_arch: 'x86', description: '' },
};

describe('the batch job of an instance', () => {
  it('has a name that depends on its key, and is recognised', () => {
    const name = jobName(['main', 'my-Run_0'], 'instance.create:i:0');
    expect(name).toMatch(/^dstack-main-my-run-0-[0-9a-f]{12}$/);
    expect(jobName(['main', 'my-Run_0'], 'instance.create:i:0')).toBe(name);
    expect(jobName(['main', 'my-Run_0'], 'instance.create:i:1')).not.toBe(name);
    expect(isJobName(name)).toBe(true);
    expect(jobName(['x'.repeat(80), 'y'], 'k').length).toBeLessThanOrEqual(64);
    for (const other of ['dstack-a', '../x', `${name}/..`, 'other-main-0123456789ab']) {
      expect(isJobName(other)).toBe(false);
    }
  });

  it('carries its owner in its comment', () => {
    const owner = { server: 's', project: 'main', fleet: 'f', instance: 'i' };
    const comment = commentOf({ key: 'k', owner, resources: RESOURCES });
    expect(comment).toMatch(/^dstack:[\w-]+$/);
    const found = { key: 'k', owner, resources: RESOURCES };
    expect(commentFrom(comment)).toEqual({ ...found, hasNodeTokens: true });
    const former = Buffer.from(JSON.stringify(found)).toString('base64url');
    expect(commentFrom(`dstack:${former}`)).toEqual({ ...found, hasNodeTokens: false });
    for (const text of ['', '(null)', 'dstack:', 'dstack:not-json', 'dstack:bnVsbA']) {
      expect(commentFrom(text)?.owner.server || null).toBeNull();
    }
  });

  it('asks for the share of the offer', () => {
    const argv = batchArguments({
      ...{ name: 'n', comment: 'c', offer, nodes: 1, log: '/home/dev/log' },
      settings: null,
    });
    expect(argv).toEqual([
      ...['sbatch', '--parsable', '--no-requeue', '--job-name=n', '--comment=c'],
      ...['--output=/home/dev/log', '--open-mode=append', '--export=NIL'],
      ...['--nodes=1', '--ntasks-per-node=1', '--cpus-per-task=4', '--mem=8192M'],
      ...['--gres=gpu:2', '--partition=gpu,low'],
    ]);
  });

  it('has memory for the agent, also if the run requests little', () => {
    const { resources } = offer.instance;
    const small = { ...offer, instance: { resources: { ...resources, memory_mib: 103 } } } as Offer;
    const order = { name: 'n', comment: 'c', nodes: 1, log: '/home/dev/log', settings: null };
    expect(batchArguments({ ...order, offer: small })).toContain('--mem=512M');
  });

  const script = {
    tool: 'pyxis',
    ...{ image: 'ghcr.io/a/b:1', programs: '/home/d/p', folder: '/home/d/j', cpus: 2 },
    ...{ hasGpus: false, credentials: null, agent: ['/run/node'], node: '/run/node' },
  } as const;
  const credentials = { folder: '/home/d/c', user: 'me' };

  it('quotes everything that users write', () => {
    const text = batchScript({ ...script, image: "x'; touch /tmp/evil #" });
    expect(text).toContain(`'--container-image=x'"'"'; touch /tmp/evil #'`);
    expect(text).toContain('NVIDIA_VISIBLE_DEVICES=void');
  });

  it.each(['pyxis', 'apptainer', 'none'] as const)(
    'shows its container (%s) nothing that programs outside write or read',
    (tool) => {
      const text = batchScript({ ...script, tool });
      expect(text).toContain('> /home/d/j/ended');
      expect(text).toContain('/home/d/j/agent');
      expect(text.replaceAll('/home/d/j/agent', '')).not.toMatch(/\/home\/d\/j(?!\/ended)/);
    },
  );

  it('pulls a private image with a file that only it reads', () => {
    const text = batchScript({ ...script, credentials });
    expect(text).toContain('export ENROOT_CONFIG_PATH=/home/d/c');
    expect(text).toContain('--container-image=me@ghcr.io#a/b:1');
    expect(text.match(/rm -rf \/home\/d\/c$/gm)).toHaveLength(2);
  });
});
