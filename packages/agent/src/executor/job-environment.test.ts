import { describe, expect, it } from 'vitest';
import { jobCommand, wrapCommand } from '../process/job-command.ts';
import { jobSpec } from '../testing/agent-harness.ts';
import { isExportedFunction, jobEnvironment, mpiHostfile } from './job-environment.ts';

const places = { workingDir: '/w', repoDir: '/r', mpiHostfile: '/m', noticeFile: '/n', home: '/h' };

describe('environment', () => {
  it('lets the run override ours, but not HOME', () => {
    const spec = jobSpec([], { env: { DSTACK_NODE_RANK: '9', HOME: '/elsewhere', A: 'b' } });
    const env = jobEnvironment(spec, null, places, 2);
    expect(env).toMatchObject({ DSTACK_NODE_RANK: '9', HOME: '/h', A: 'b' });
    expect(env).toMatchObject({
      DSTACK_GPUS_NUM: '2',
      DSTACK_REPO_DIR: '/r',
      DSTACK_NODES_IPS: '',
    });
    expect(env).not.toHaveProperty('DSTACK_REPO_ID');
  });

  it('has the addresses of the other nodes of a cluster', () => {
    const cluster = {
      job_ips: ['10.0.0.1', '10.0.0.2'],
      master_job_ip: '10.0.0.1',
      gpus_per_job: 4,
      gpus_per_node: [4, 8],
      host_keys: [],
    };
    const spec = jobSpec([], { jobs_per_replica: 2, job_num: 1 });
    expect(jobEnvironment(spec, cluster, places, 4)).toMatchObject({
      DSTACK_NODES_IPS: '10.0.0.1\n10.0.0.2',
      DSTACK_MASTER_NODE_IP: '10.0.0.1',
      DSTACK_GPUS_PER_NODE: '4',
      DSTACK_GPUS_NUM: '12',
      DSTACK_NODES_NUM: '2',
      DSTACK_NODE_RANK: '1',
    });
    expect(mpiHostfile(cluster)).toBe('10.0.0.1 slots=4\n10.0.0.2 slots=8\n');
    expect(mpiHostfile({ ...cluster, job_ips: ['10.0.0.1', ''] })).toBe('');
  });

  it('recognises exported shell functions', () => {
    expect(isExportedFunction('BASH_FUNC_module%%')).toBe(true);
    expect(isExportedFunction('BASH_FUNC_x()')).toBe(true);
    expect(isExportedFunction('BASH_VERSION')).toBe(false);
  });
});

describe('command of the process executor', () => {
  it('joins the shell lines, those for the background in braces', () => {
    const spec = jobSpec(['a', 'b &', 'c']);
    expect(jobCommand(spec, true)).toEqual(['/bin/bash', '-i', '-c', 'a && { b & } && c']);
    expect(jobCommand(spec, false)).toEqual(['/bin/bash', '-c', 'a && { b & } && c']);
  });

  it('joins commands of several lines, as YAML blocks have them', () => {
    const spec = jobSpec(['a\nb\n', 'c &\n', '  d\n']);
    expect(jobCommand(spec, false).at(-1)).toBe('a\nb && { c & } && d');
  });

  it('takes the complete command when there are no lines', () => {
    const spec = jobSpec([], { shell_commands: null, commands: ['/bin/x', 'y'] });
    expect(jobCommand(spec, true)).toEqual(['/bin/x', 'y']);
  });

  it('adds nothing without groups to join and a user to switch to', () => {
    expect(wrapCommand(['x'], { unified: null, legacy: {} })).toEqual(['x']);
  });
});
