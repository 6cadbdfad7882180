import { describe, expect, it } from 'vitest';
import { clusterFiles } from './cluster-files.ts';

const SPEC = { jobs_per_replica: 2, job_private_key: 'KEY' };
const cluster = (host_keys: (string | null)[] = []) => ({
  job_ips: ['10.0.0.1', '10.0.0.2'],
  master_job_ip: '10.0.0.1',
  gpus_per_job: 0,
  gpus_per_node: [0, 0],
  host_keys,
});

const fileOf = (name: string, info: ReturnType<typeof cluster>) =>
  clusterFiles(SPEC, info, '/root').find(({ path }) => path === `/root/.ssh/${name}`);

describe('files of a cluster', () => {
  it('are for nodes that have others', () => {
    expect(clusterFiles({ ...SPEC, jobs_per_replica: 1 }, cluster(), '/root')).toEqual([]);
    expect(clusterFiles({ ...SPEC, job_private_key: null }, cluster(), '/root')).toEqual([]);
  });

  it('pin the hosts when all their keys are known', () => {
    const keys = ['ssh-ed25519 AAA', 'ssh-ed25519 BBB'];
    expect(fileOf('config', cluster(keys))?.text).toContain('StrictHostKeyChecking yes');
    expect(fileOf('dstack_known_hosts', cluster(keys))?.text).toBe(
      '[10.0.0.1]:10022 ssh-ed25519 AAA\n[10.0.0.2]:10022 ssh-ed25519 BBB\n',
    );
    expect(fileOf('config', cluster(['ssh-ed25519 AAA', null]))?.text).toContain(
      'StrictHostKeyChecking no',
    );
    expect(fileOf('dstack_known_hosts', cluster())).toBeUndefined();
  });

  it('come first in an existing configuration, and do not accumulate in it', () => {
    const own = 'Compression yes\nHost mine\n    Port 1\n';
    const config = fileOf('config', cluster());
    const once = config?.over(own) ?? '';
    expect(once).toBe(config?.text + own);
    expect(config?.over(once)).toBe(once);
    expect(once).toMatch(
      /^# dstack.*\nHost 10\.0\.0\.1 10\.0\.0\.2\n[\s\S]*Host \*\n# dstack: end\n/,
    );
  });

  it('replace the key of an earlier run', () => {
    expect(fileOf('dstack_job', cluster())?.over('OLD')).toBe('KEY\n');
  });
});

describe('the report of a host about itself', () => {
  it('adds no line to the files of jobs on other hosts', () => {
    const evil = { ...cluster(['ssh-ed25519 AAA\n* ssh-ed25519 EVIL', 'ssh-ed25519 BBB']) };
    expect(fileOf('dstack_known_hosts', evil)).toBeUndefined();
    const ips = { ...cluster(), job_ips: ['10.0.0.1', 'x\n  ProxyCommand touch x', '*'] };
    expect(fileOf('config', ips)?.text).toMatch(/^# dstack.*\nHost 10\.0\.0\.1\n/);
    expect(fileOf('config', ips)?.text).not.toContain('ProxyCommand');
  });

  it('omits files of a home that cannot be written into a configuration', () => {
    expect(clusterFiles(SPEC, cluster(), '/home/a"\n  ProxyCommand x')).toEqual([]);
  });
});
