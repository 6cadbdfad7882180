import type { JobSpecForAgent } from '@dstack/contract/agent';
import type { InstanceRecord } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { type LocalJobRules, localJob } from './local-jobs.ts';

const strict: LocalJobRules = {
  projects: new Set(['main']),
  trusted: false,
  mounts: true,
  users: false,
  loopback: false,
};
const trusting = { ...strict, trusted: true, users: true, loopback: true };

const on = (backend: 'local' | 'remote', name = 'local') =>
  ({ backend, offer: { instance: { name } } }) as unknown as InstanceRecord;
const job = (more: Partial<JobSpecForAgent> = {}) =>
  ({
    project_name: 'Main',
    privileged: false,
    network_mode: 'bridge',
    mounts: [],
    user: null,
    host_access: { repos: false, images: false },
    ...more,
  }) as unknown as JobSpecForAgent;
const free = (spec: JobSpecForAgent) => ({ ...spec, host_access: { repos: true, images: true } });
const root = { uid: 0, gid: null, username: null, groupname: null };
const mount = { source: '/etc', target: '/host', read_only: false, optional: false, volume: null };

describe('a job that starts on the machine of the server', () => {
  it('is of a project that may use it', () => {
    expect(localJob(strict, on('local'), job())).toEqual(job());
    expect(() => localJob(strict, on('local'), job({ project_name: 'other' }))).toThrow(
      /^Project other may not run jobs on the server's machine; .* DSTACK_LOCAL_PROJECTS$/,
    );
  });

  it.each([
    ['be privileged', { privileged: true }],
    ['use the host network', { network_mode: 'host' as const }],
    ['mount /etc', { mounts: [mount] }],
  ])('may not %s unless jobs are trusted', (what, more) => {
    expect(() => localJob(strict, on('local'), job(more))).toThrow(
      `No job may ${what} on the server's machine; its administrator can allow it with DSTACK_LOCAL_TRUSTED=1`,
    );
    expect(localJob(trusting, on('local'), job(more))).toEqual(free(job(more)));
  });

  it('starts without optional volumes, and its output reports it', () => {
    const optional = job({ mounts: [{ ...mount, optional: true }] });
    expect(localJob(strict, on('local'), optional)).toMatchObject({
      mounts: [],
      notices: [expect.stringMatching(/^the optional volume \/etc:\/host is left out.*TRUSTED/)],
    });
    expect(localJob(trusting, on('local'), optional)).toEqual(free(optional));
  });

  it('may mount volumes, which contain no files of the machine', () => {
    const volume = { ...mount, source: '', volume: { id: 'v', path: null, device: null } };
    const mounting = job({ mounts: [volume] });
    expect(localJob(strict, on('local'), mounting)).toEqual(mounting);
  });

  it('gets no image from the loopback of the machine that its user has chosen, unless that is allowed', () => {
    const access = (rules: LocalJobRules, namesImage: boolean) =>
      localJob(rules, on('local'), job(), namesImage).host_access;
    expect(access(strict, true)).toEqual({ repos: false, images: false });
    expect(access(strict, false)).toEqual({ repos: false, images: true });
    expect(access({ ...strict, loopback: true }, true)).toEqual({ repos: true, images: true });
  });

  it('is not a user of the machine', () => {
    const asRoot = job({ user: root });
    expect(localJob(strict, on('local', 'local-process'), asRoot).user).toBeNull();
    expect(localJob(trusting, on('local', 'local-process'), asRoot).user).toEqual(root);
    expect(localJob(strict, on('local'), asRoot).user).toEqual(root);
  });
});

it('does not change jobs of other machines', () => {
  const mighty = job({ project_name: 'other', privileged: true, mounts: [mount] });
  expect(localJob(strict, on('remote'), mighty)).toBe(mighty);
});
