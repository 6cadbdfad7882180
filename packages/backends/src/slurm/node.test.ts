import { describe, expect, it } from 'vitest';
import { parseGres } from './gres.ts';
import { closedReason, parseNodes } from './node.ts';

/** A line that Slurm 22.05.8 prints, without the fields that are not read. */
const LINE =
  'NodeName=gpu-1 Arch=x86_64 CoresPerSocket=1  CPUAlloc=1 CPUEfctv=4 CPUTot=8 CPULoad=1.03 ' +
  'AvailableFeatures=ib,a100 ActiveFeatures=(null) Gres=gpu:h100:2(S:0-1) GresDrain=N/A ' +
  'GresUsed=gpu:h100:1(IDX:0) NodeAddr=10.0.0.11 NodeHostName=gpu-1 Version=22.05.8 ' +
  'OS=Linux 6.1.0 #1 SMP PREEMPT_DYNAMIC @0  RealMemory=8192 AllocMem=500 FreeMem=20441 Sockets=4 ' +
  'State=MIXED ThreadsPerCore=1 MCS_label=N/A Partitions=gpu,low,short  ' +
  'CfgTRES=cpu=4,mem=8G,billing=4 AllocTRES=cpu=1,mem=500M ExtSensorsTemp=n/s';

describe('the nodes of a cluster', () => {
  it('are read with what they have and what of it is in use', () => {
    expect(parseNodes(`Welcome to the cluster\n${LINE}\n`)).toEqual([
      {
        ...{ name: 'gpu-1', address: '10.0.0.11', arch: 'x86', features: ['ib', 'a100'] },
        cpus: { total: 4, used: 1 },
        memoryMib: { total: 8192, used: 500 },
        gpus: [{ type: 'h100', total: 2, used: 1 }],
        partitions: ['gpu', 'low', 'short'],
        states: new Set(['MIXED']),
        reason: null,
      },
    ]);
  });

  it('have no GPUs and no free text where Slurm prints that there are none', () => {
    const [node] = parseNodes(
      'NodeName=cpu-1 CPUTot=4 AvailableFeatures=(null) Gres=(null) State=IDLE',
    );
    expect(node).toMatchObject({ gpus: [], features: [], partitions: [], address: 'cpu-1' });
    expect(node?.cpus).toEqual({ total: 4, used: 0 });
  });

  it.each([
    ['IDLE', null],
    ['MIXED+CLOUD+POWERED_DOWN', null],
    ['IDLE+DRAIN', 'drained (bad disk)'],
    ['DOWN+NOT_RESPONDING', 'down (bad disk)'],
    ['idle*', 'not responding (bad disk)'],
  ])('in the state %s start no jobs for the reason %s', (state, expected) => {
    const [node] = parseNodes(
      `${LINE.replace('MIXED', state)} Reason=bad disk [root@2026-11-26T07:13:59]`,
    );
    expect(node && closedReason(node)).toBe(expected);
  });

  it('cannot be changed by a reason that looks like fields', () => {
    const [node] = parseNodes(`${LINE} Reason=broken State=IDLE Gres=gpu:99 [root@2026]`);
    expect(node?.states).toEqual(new Set(['MIXED']));
    expect(node?.gpus).toEqual([{ type: 'h100', total: 2, used: 1 }]);
    expect(node?.reason).toBe('broken State=IDLE Gres=gpu:99');
  });
});

describe('generic resources', () => {
  it.each([
    ['gpu:2', [{ name: 'gpu', type: '', count: 2 }]],
    [
      'gpu:a100:4(S:0,1),mps:400',
      [
        { name: 'gpu', type: 'a100', count: 4 },
        { name: 'mps', type: '', count: 400 },
      ],
    ],
    ['bandwidth:lustre:4G', [{ name: 'bandwidth', type: 'lustre', count: 4 * 1024 ** 3 }]],
    ['gpu:h100:0(IDX:N/A)', [{ name: 'gpu', type: 'h100', count: 0 }]],
    ['gpu', []],
    ['gpu:many', []],
  ])('%s is %j', (text, expected) => {
    expect(parseGres(text)).toEqual(expected);
  });
});
