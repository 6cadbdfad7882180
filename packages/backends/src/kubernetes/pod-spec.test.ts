import { BackendSettings } from '@dstack/contract';
import { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import type { ContainerOrder } from '../base/instance-port.ts';
import { newOrder } from '../base/testing/orders.ts';
import type { AgentSource } from './pod-agent.ts';
import { podOf } from './pod-spec.ts';

const OFFER: Offer = {
  ...{ backend: 'kubernetes', region: 'c', price: 0, blocks: 1, total_blocks: 1 },
  ...{ availability_zones: null, backend_data: {} },
  availability: 'available',
  instance_runtime: 'runner',
  instance: {
    name: 'n1',
    resources: {
      ...{ cpus: 4, memory_mib: 8192, gpus: [], spot: false, description: '', cpu_arch: null },
      disk: { size_mib: 1024 },
    },
  },
};

interface Spec {
  readonly metadata: { readonly labels: Record<string, string>; readonly annotations: object };
  readonly spec: {
    readonly containers: readonly [
      { readonly command: readonly string[]; readonly volumeMounts: readonly object[] } & {
        readonly resources: { readonly limits: Record<string, string> };
      },
    ];
    readonly volumes: readonly object[];
    readonly initContainers?: readonly object[];
    readonly imagePullSecrets?: readonly object[];
    readonly affinity: {
      readonly nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: object[] };
      readonly podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: {
          podAffinityTerm: { labelSelector: { matchLabels: object } };
        }[];
      };
    };
  };
}

function pod(
  more: Partial<ContainerOrder> = {},
  agent: AgentSource = { kind: 'copy' },
  claims: readonly string[] = [],
): Spec {
  const container: ContainerOrder = {
    ...{ jobName: 'train-0-0', runName: 'train', userName: 'ada', image: 'busybox:1' },
    ...{
      registryAuth: null,
      user: null,
      privileged: false,
      needsAddress: false,
      gang: null,
      mounts: [],
    },
    ...{ resources: Requirements.parse({ resources: {} }).resources, settings: null },
    ...more,
  };
  const volumes = claims.map((id) => ({ id, region: 'c', data: null }));
  const order = { ...newOrder(OFFER, 'server'), container, volumes };
  return podOf({ order, container, offer: OFFER, namespace: 'jobs', agent }) as Spec;
}

describe('the pod of a job', () => {
  it('does not mount the claim of the agent as a volume, where one was registered before', () => {
    const agent = { kind: 'claim', claim: 'programs' } as const;
    const mounts = [{ path: '/data', instancePath: null, readOnly: false }];
    const mounted = pod({ mounts }, agent, ['data']).spec.volumes;
    expect(mounted).toContainEqual({
      name: 'volume-0',
      persistentVolumeClaim: { claimName: 'data' },
    });
    expect(() => pod({ mounts }, agent, ['programs'])).toThrow('holds the program of the agent');
  });

  it('starts the agent from a read-only claim, without another container', () => {
    const { spec } = pod({}, { kind: 'claim', claim: 'dstack-agent' });
    expect(spec.initContainers).toBeUndefined();
    expect(spec.volumes).toContainEqual({
      name: 'programs',
      persistentVolumeClaim: { claimName: 'dstack-agent', readOnly: true },
    });
    const [job] = spec.containers;
    const mount = { name: 'programs', mountPath: '/dstack-agent', readOnly: true };
    expect(job.volumeMounts).toContainEqual(mount);
    expect(job.command.slice(0, 4)).toEqual([
      ...['/dstack-agent/lib/ld.so', '--library-path'],
      ...['/dstack-agent/lib', '/dstack-agent/node'],
    ]);
  });

  it('starts the agent from an image that the node mounts, without another container', () => {
    const { spec } = pod({}, { kind: 'volume', image: 'dstack/agent:1' });
    expect(spec.initContainers).toBeUndefined();
    expect(spec.volumes).toContainEqual({
      name: 'programs',
      image: { reference: 'dstack/agent:1', pullPolicy: 'IfNotPresent' },
    });
    const [job] = spec.containers;
    const mount = { name: 'programs', mountPath: '/dstack-image', readOnly: true };
    expect(job.volumeMounts).toContainEqual(mount);
    expect(job.command[0]).toBe('/dstack-image/dstack-agent/lib/ld.so');
  });

  it('has room for the agent beyond the memory limit of the job', () => {
    const limited = { resources: { memory: '1GB..2GB', cpu: '1..2' } };
    const { resources } = Requirements.parse(limited);
    expect(pod({ resources }).spec.containers[0].resources.limits).toMatchObject({
      ...{ memory: `${2 * 1024 + 160}Mi`, cpu: '2' },
    });
    expect(pod().spec.containers[0].resources.limits.memory).toBeUndefined();
  });

  it('has the label of its queue and the secrets for pulls, and shows that others need its address', () => {
    const given = { kubernetes: { queue: 'research', image_pull_secrets: ['registry'] } };
    const settings = BackendSettings.parse(given);
    const registryAuth = { username: 'u', password: 'p' };
    const { metadata, spec } = pod({ settings, registryAuth, needsAddress: true });
    expect(metadata.labels['kueue.x-k8s.io/queue-name']).toBe('research');
    expect(spec.imagePullSecrets).toEqual([
      { name: expect.stringMatching(/-registry-auth$/) },
      { name: 'registry' },
    ]);
    expect(metadata.annotations).toHaveProperty(['k8s.dstack.ai/address']);
    expect(pod().metadata.annotations).not.toHaveProperty(['k8s.dstack.ai/address']);
  });

  it('prefers a node without a pod of the same run, and leaves nodes with accelerators to others', () => {
    const { affinity } = pod().spec;
    const [apart] = affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution;
    expect(apart?.podAffinityTerm.labelSelector.matchLabels).toMatchObject({
      'k8s.dstack.ai/name': 'train',
      'k8s.dstack.ai/project': 'main',
    });
    const nodes = affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution;
    expect(nodes).toContainEqual({
      weight: 100,
      preference: {
        matchExpressions: expect.arrayContaining([
          { key: 'nvidia.com/gpu.product', operator: 'DoesNotExist' },
        ]),
      },
    });
  });

  it.each(['/', '/var/lib', '/var/lib/dstack-agent/', '/var/lib/../lib/dstack-agent/current'])(
    'of one job does not mount %s of the node, from which others have their agent',
    (instancePath) => {
      const mounts = [{ path: '/x', instancePath, name: null, readOnly: false }];
      const onNodes = { kind: 'claim', claim: 'dstack-agent' } as const;
      const made = (agent: AgentSource) => pod({ mounts } as Partial<ContainerOrder>, agent);
      expect(() => made(onNodes)).toThrow('leads to the agent');
      expect(made({ kind: 'copy' }).spec.volumes).toContainEqual(
        expect.objectContaining({ hostPath: { path: instancePath, type: 'DirectoryOrCreate' } }),
      );
    },
  );

  it('of a job mounts other paths of the node', () => {
    const mounts = [{ path: '/x', instancePath: '/var/lib/dstack-agents', readOnly: false }];
    const made = pod({ mounts } as unknown as Partial<ContainerOrder>, {
      ...{ kind: 'claim', claim: 'dstack-agent' },
    });
    expect(JSON.stringify(made.spec.volumes)).toContain('/var/lib/dstack-agents');
  });
});
