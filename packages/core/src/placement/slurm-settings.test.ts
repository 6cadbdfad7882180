import { describe, expect, it } from 'vitest';
import type { Offer } from '../model/index.ts';
import { anOffer, CLOUD, changesOf, placed, refusedWith, task } from './testing.ts';

interface NodeFields {
  readonly partitions: readonly string[];
  readonly features?: readonly string[];
  readonly qos?: object;
}

function aNode(name: string, { partitions, features = [], qos = {} }: NodeFields): Offer {
  return {
    ...anOffer({ backend: 'slurm', region: 'hpc', name }),
    availability_zones: [...partitions],
    backend_data: { partitions, features, qos },
  };
}

const NODES = [
  aNode('gpu-1', { partitions: ['gpu', 'low'], features: ['ib', 'nvme'] }),
  aNode('gpu-2', { partitions: ['gpu'], qos: { gpu: { allowed: ['high', 'brief'] } } }),
  aNode('cpu-1', { partitions: ['cpu', 'low'], features: ['ib'] }),
];

const withSettings = (slurm: object) => task('a', { backend_settings: { slurm } });

function triedNodes(slurm: object, nodes: readonly Offer[] = NODES): readonly string[] {
  const decision = placed({ fleets: [CLOUD], gangs: [withSettings(slurm)] }, [...nodes]);
  const [intent] = changesOf(decision, 'intent.insert');
  const { offers = [] } = (intent?.intent.payload ?? {}) as { readonly offers?: readonly Offer[] };
  return offers.map(({ instance }) => instance.name);
}

const refusal = (slurm: object, nodes: readonly Offer[] = NODES) =>
  refusedWith(placed({ fleets: [CLOUD], gangs: [withSettings(slurm)] }, [...nodes]), 'job-a-0-0');

describe('the nodes that a run tries on a Slurm cluster', () => {
  it('are all without settings, and those of its partitions', () => {
    expect(triedNodes({ account: 'physics' })).toEqual(['gpu-1', 'gpu-2', 'cpu-1']);
    expect(triedNodes({ partition: 'low' })).toEqual(['gpu-1', 'cpu-1']);
    expect(triedNodes({ partition: 'cpu,gpu' })).toEqual(['gpu-1', 'gpu-2', 'cpu-1']);
  });

  it('have the features of its constraint; one that is not understood excludes none', () => {
    expect(triedNodes({ constraint: 'ib' })).toEqual(['gpu-1', 'cpu-1']);
    expect(triedNodes({ constraint: 'ib&nvme' })).toEqual(['gpu-1']);
    expect(triedNodes({ constraint: 'nvme|ib', partition: 'cpu' })).toEqual(['cpu-1']);
    expect(triedNodes({ constraint: '[ib*2&nvme*4]' })).toEqual(['gpu-1', 'gpu-2', 'cpu-1']);
  });

  it('are in a partition that takes its QOS', () => {
    expect(triedNodes({ qos: 'High' })).toEqual(['gpu-1', 'gpu-2', 'cpu-1']);
    expect(triedNodes({ qos: 'other' })).toEqual(['gpu-1', 'cpu-1']);
    const denied = aNode('n', { partitions: ['low'], qos: { low: { denied: ['brief'] } } });
    expect(triedNodes({ qos: 'high' }, [denied])).toEqual(['n']);
    expect(refusal({ qos: 'brief' }, [denied])).toMatch(/`qos` of its new instances/);
  });

  it('are none, and the reason names the setting and what the nodes have', () => {
    expect(refusal({ partition: 'h100' })).toBe(
      'No fleet can take the run (cloud: `partition` of its new instances is gpu, low, asked for h100)',
    );
    expect(refusal({ constraint: 'tape' })).toContain(
      '`constraint` of its new instances is ib, nvme, asked for tape',
    );
    // The others are of no interest: they are outside the partition.
    expect(refusal({ partition: 'cpu', constraint: 'nvme' })).toContain(
      '`constraint` of its new instances is ib, asked for nvme',
    );
    expect(refusal({ partition: 'gpu', qos: 'none' }, NODES.slice(1))).toContain(
      '`qos` of its new instances is high, brief, asked for none',
    );
  });

  it('are not compared on backends without partitions', () => {
    expect(triedNodes({ partition: 'gpu' }, [anOffer({ name: 'vm' })])).toEqual(['vm']);
  });
});
