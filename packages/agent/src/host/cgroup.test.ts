import { describe, expect, it } from 'vitest';
import { parseGroup, parsePasswd, resolveUser } from '../executor/accounts.ts';
import { parseCgroupMounts, parseCgroupPath } from './cgroup.ts';

describe('control groups', () => {
  it('finds the mounts of both versions', () => {
    const text = [
      '30 24 0:26 / /sys/fs/cgroup ro shared:9 - tmpfs tmpfs ro',
      '31 30 0:27 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw',
      '33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:12 - cgroup cgroup rw,cpu,cpuacct',
    ].join('\n');
    expect(parseCgroupMounts(text)).toEqual([
      { unified: true, controllers: [], path: '/sys/fs/cgroup/unified' },
      {
        unified: false,
        controllers: ['rw', 'cpu', 'cpuacct'],
        path: '/sys/fs/cgroup/cpu,cpuacct',
      },
    ]);
  });

  it('finds the own group of each hierarchy', () => {
    const text = '4:cpu,cpuacct:/docker/x\n2:memory:/\n0::/user.slice\n';
    expect(parseCgroupPath(text, 'cpuacct')).toBe('/docker/x');
    expect(parseCgroupPath(text, 'memory')).toBe('/');
    expect(parseCgroupPath(text, '')).toBe('/user.slice');
    expect(parseCgroupPath(text, 'blkio')).toBeNull();
  });
});

describe('accounts', () => {
  const passwd =
    'root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/bash\nno:x:5:5::/nonexistent:\n';
  const group = 'root:x:0:\nann:x:1000:\nvideo:x:44:ann,bob\n';

  it('takes everything of a name from passwd', () => {
    expect(resolveUser({ username: 'ann' }, passwd, group)).toEqual({
      username: 'ann',
      uid: 1000,
      gid: 1000,
      home: '/home/ann',
      shell: '/bin/bash',
      groups: [44],
    });
  });

  it('lets an explicit group replace the others', () => {
    expect(resolveUser({ username: 'ann', groupname: 'video' }, passwd, group)).toMatchObject({
      gid: 44,
      groups: [],
    });
  });

  it('accepts an unknown number, not an unknown name', () => {
    expect(resolveUser({ uid: 77 }, passwd, group)).toMatchObject({
      username: null,
      gid: 0,
      home: '/',
    });
    expect(() => resolveUser({ username: 'eve' }, passwd, group)).toThrow('Unknown user eve');
    expect(() => resolveUser({ uid: 0, groupname: 'x' }, passwd, group)).toThrow('Unknown group x');
  });

  it('takes the root directory for a home that is none', () => {
    expect(resolveUser({ username: 'no' }, passwd, group).home).toBe('/');
  });

  it('skips broken lines', () => {
    expect(parsePasswd('#\n\nx\n')).toEqual([]);
    expect(parseGroup('+\n')).toEqual([]);
  });
});
