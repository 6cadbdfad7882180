import type { HostFacts } from '@dstack/contract/agent';
import { refusalText } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { type Decision, UNUSED_SERVER_HOST } from '../model/index.ts';
import { LOCAL_HOST } from '../offers/local-limits.ts';
import { undecidedUntil } from './place/refusals.ts';
import {
  aContext,
  anInstance,
  anOffer,
  CLOUD,
  changesOf,
  jobChange,
  localOffer,
  placed,
  refusedWith,
  task,
} from './testing.ts';

describe("the server's machine", () => {
  it('is not excluded by default bounds', () => {
    const decision = placed({ fleets: [CLOUD], gangs: [task('a')] }, [localOffer()]);
    expect(changesOf(decision, 'instance.insert')[0]?.instance.backend).toBe('local');
  });

  it('holds no more instances than the server allows, in all projects together', () => {
    const gangs = ['a', 'b', 'c'].map((name) => task(name));
    const decision = placed(
      { fleets: [CLOUD], gangs, localInstances: 1 },
      [localOffer()],
      aContext({ localMaxInstances: 3 }),
    );
    expect(changesOf(decision, 'instance.insert')).toHaveLength(2);
    expect(refusedWith(decision, 'job-c-0-0')).not.toBeNull();
  });

  const onMachine = (hostId: string) => localOffer('process', { [LOCAL_HOST]: hostId });
  const machine = (hostId: string, instances: number, isAlive = false) => ({
    ...{ hostId, instances, busy: [], state: `as read of ${hostId}`, isAlive },
  });

  it('holds as many instances as it may, whatever the machines of other servers hold', () => {
    const gangs = ['a', 'b'].map((name) => task(name));
    const serverHosts = [machine('local-1', 1), machine('local-2', 4)];
    const ctx = aContext({ localMaxInstances: 2 });
    const decision = placed({ fleets: [CLOUD], gangs, serverHosts }, [onMachine('local-1')], ctx);
    expect(changesOf(decision, 'instance.insert')).toHaveLength(1);
    expect(changesOf(decision, 'local.check')).toEqual([
      { type: 'local.check', hostId: 'local-1', state: 'as read of local-1' },
    ]);
    const first = placed({ fleets: [CLOUD], gangs, serverHosts }, [onMachine('local-3')], ctx);
    expect(changesOf(first, 'instance.insert')).toHaveLength(2);
    expect(changesOf(first, 'local.check')).toMatchObject([{ state: UNUSED_SERVER_HOST }]);
  });

  it.each([
    ['names the servers that may have room on theirs', true, 1],
    ['names no server that has died', false, null],
  ])('%s when it is full', (_what, isAlive, count) => {
    const serverHosts = [machine('local-1', 4), machine('local-2', 4, isAlive)];
    const gangs = [task('a')];
    const decision = placed({ fleets: [CLOUD], gangs, serverHosts }, [onMachine('local-1')]);
    const refusal = jobChange(decision, 'job-a-0-0')?.refusal;
    const growth = refusal?.kind === 'no-place' ? refusal.fleets[0]?.growth : null;
    expect(growth).toMatchObject({ rule: 'local_limit', has: '4', count });
  });

  const facts = (gpus: number): HostFacts => ({
    ...{ hostname: 'h', arch: 'x86', cpus: 8, memory_bytes: 2 ** 36, disk_bytes: 0, addresses: [] },
    gpus: Array.from({ length: gpus }, (_, id) => ({
      ...{ vendor: 'nvidia', name: 'A100', memory_mib: 40_960, id: String(id) },
    })),
    ...{ gpu_driver: null, ssh_host_key: null },
  });
  const refusalBeside = (
    gpu: number,
    isAlive: boolean,
    patch: object = { hasServerHost: true },
  ) => {
    const serverHosts = [
      { ...machine('local-1', 0, true), facts: facts(0) },
      { ...machine('local-2', 0, isAlive), facts: facts(2) },
    ];
    const gangs = [task('a', { resources: { gpu } })];
    const offers = [onMachine('local-1')];
    const decision = placed({ fleets: [CLOUD], gangs, serverHosts, ...patch }, offers);
    return jobChange(decision, 'job-a-0-0')?.refusal ?? null;
  };

  it('leaves a run that it is too small for to the machine of another server', () => {
    const refusal = refusalBeside(2, true);
    expect(refusal).toMatchObject({
      fleets: [{ verdict: 'full', growth: { rule: 'no_offers', count: 1 } }],
    });
    expect(refusal && undecidedUntil(refusal)).toBe('other_servers');
    expect(refusal && refusalText(refusal)).toContain('but the machine of another server would');
  });

  it.each([
    ['the others are too small as well', () => refusalBeside(3, true)],
    ['no other server is alive', () => refusalBeside(2, false)],
    ['its project may not use such machines', () => refusalBeside(2, true, {})],
  ])('refuses a run that it is too small for if %s', (_why, refused) => {
    const refusal = refused();
    expect(refusal && undecidedUntil(refusal)).toBeNull();
    expect(refusal && refusalText(refusal)).not.toContain('another server');
  });

  it('takes no jobs of a project that imports its fleet', () => {
    const imported = { ...CLOUD, projectId: 'project-2' };
    const theirs = anInstance(imported, 0, localOffer());
    const decision = placed({ fleets: [imported], instances: [theirs], gangs: [task('a')] });
    expect(jobChange(decision, 'job-a-0-0')?.instanceId).toBeUndefined();
    const mine = anInstance(CLOUD, 0, localOffer());
    const taken = placed({ fleets: [CLOUD], instances: [mine], gangs: [task('a')] });
    expect(jobChange(taken, 'job-a-0-0')?.instanceId).toBe(mine.id);
  });

  /** The machine's four GPUs as its backend offers them: all, then fewer, then none. */
  const gpuMachine = [4, 3, 2, 1, 0].map((gpus) => ({
    ...anOffer({ backend: 'local', region: 'local', name: 'local', price: 0, gpus }),
    backend_data: { machine_gpus: 4 },
  }));
  const gpusOf = (name: string, decision: Decision) => {
    const id = jobChange(decision, `job-${name}-0-0`)?.instanceId;
    const made = changesOf(decision, 'instance.insert').find(({ instance }) => instance.id === id);
    return made?.instance.offer?.instance.resources.gpus.length;
  };

  it('gives no GPU to two jobs', () => {
    const wants = { a: 2, b: '2..', c: '0..', d: 1 };
    const gangs = Object.entries(wants).map(([name, gpu]) => task(name, { resources: { gpu } }));
    const decision = placed({ fleets: [CLOUD], gangs }, gpuMachine);
    expect(['a', 'b', 'c'].map((name) => gpusOf(name, decision))).toEqual([2, 2, 0]);
    expect(refusedWith(decision, 'job-d-0-0')).not.toBeNull();
    expect(refusedWith(decision, 'job-d-0-0')).toContain("GPUs of the server's machine");
    const [create] = changesOf(decision, 'intent.insert').map(({ intent }) => intent.payload);
    expect(create).toMatchObject({ kind: 'instance.create', offers: [gpuMachine[2]] });
  });

  it('keeps an idle instance from a job while another has its GPUs', () => {
    const [all, , half] = gpuMachine;
    const idle = anInstance(CLOUD, 0, all);
    const busy = anInstance(CLOUD, 1, half, { status: 'busy', busyBlocks: 1 });
    const gangs = [task('a', { resources: { gpu: 4 } })];
    const taken = placed({ fleets: [CLOUD], instances: [idle, busy], gangs }, gpuMachine);
    expect(refusedWith(taken, 'job-a-0-0')).not.toBeNull();
    const free = placed({ fleets: [CLOUD], instances: [idle], gangs }, gpuMachine);
    expect(jobChange(free, 'job-a-0-0')?.instanceId).toBe(idle.id);
    expect(jobChange(free, 'job-a-0-0')?.runtimeData?.gpu).toBe(4);
  });

  it('counts the GPUs that jobs of other projects have', () => {
    const localBusy = [{ ...anInstance(CLOUD, 7, gpuMachine[1]), busyBlocks: 1 }];
    const gangs = [task('a', { resources: { gpu: '1..' } })];
    const decision = placed({ fleets: [CLOUD], gangs, localBusy }, gpuMachine);
    expect(gpusOf('a', decision)).toBe(1);
  });

  it('counts no GPUs that jobs have on the machines of other servers', () => {
    const busy = [{ ...anInstance(CLOUD, 7, gpuMachine[1]), busyBlocks: 1 }];
    const serverHosts = [{ ...machine('local-2', 1), busy }];
    const gangs = [task('a', { resources: { gpu: '1..' } })];
    const decision = placed({ fleets: [CLOUD], gangs, serverHosts }, gpuMachine);
    expect(gpusOf('a', decision)).toBe(4);
  });

  it.each([
    ['docker', { image: null, docker: true }],
    ['privileged', { privileged: true }],
    ['registry_auth', { registry_auth: { username: 'u', password: 'p' } }],
  ])('without containers runs nothing that wants %s', (_what, configuration) => {
    const gangs = [task('a', configuration)];
    const none = placed({ fleets: [CLOUD], gangs }, [localOffer('process')]);
    expect(changesOf(none, 'instance.insert')).toEqual([]);
    const some = placed({ fleets: [CLOUD], gangs }, [localOffer('docker', { trusted: true })]);
    expect(changesOf(some, 'instance.insert')).toHaveLength(1);
  });

  it.each([
    ['docker', { image: null, docker: true }],
    ['privileged', { privileged: true }],
    ['the machine’s directories', { volumes: ['/etc:/host-etc'] }],
  ])('runs no job with %s unless its administrator trusts jobs', (_what, configuration) => {
    const made = (trusted: boolean) => {
      const offers = [localOffer('docker', { mounts: true, trusted })];
      const decision = placed({ fleets: [CLOUD], gangs: [task('a', configuration)] }, offers);
      return changesOf(decision, 'instance.insert').length;
    };
    expect([made(false), made(true)]).toEqual([0, 1]);
  });

  it('runs jobs whose mounts are optional', () => {
    const volumes = [{ instance_path: '/data', path: '/data', optional: true }];
    const gangs = [task('a', { volumes })];
    const decision = placed({ fleets: [CLOUD], gangs }, [localOffer('process')]);
    expect(changesOf(decision, 'instance.insert')).toHaveLength(1);
  });

  it('mounts no directories if the server lacks the right to', () => {
    const gangs = [task('a', { volumes: ['/data:/data'] })];
    const made = (mounts: boolean) => {
      const offers = [localOffer('process', { trusted: true, mounts })];
      return changesOf(placed({ fleets: [CLOUD], gangs }, offers), 'instance.insert').length;
    };
    expect([made(false), made(true)]).toEqual([0, 1]);
  });
});
