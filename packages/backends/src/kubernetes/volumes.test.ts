import { describe, expect, it } from 'vitest';
import type { KubeObject } from './api/objects.ts';
import type { Cluster } from './cluster.ts';
import { MANAGED, objectName } from './labels.ts';
import type { AgentSource } from './pod-agent.ts';
import { claimVolumes } from './volumes.ts';

type Marks = Pick<KubeObject['metadata'], 'labels' | 'annotations'>;

function claims(name: string, marks: Marks | null, agent: AgentSource = { kind: 'copy' }) {
  const cluster = {
    ...{ region: 'c', namespace: 'jobs', title: 'c' },
    path: (kind: string, id: string) => `${kind}/${id}`,
    client: {
      find: async ({ path }: { path: string }) =>
        marks && path === `persistentvolumeclaims/${name}`
          ? { metadata: { name, ...marks } }
          : null,
    },
  } as unknown as Cluster;
  return claimVolumes({ clusters: [cluster], agent });
}

const register = (name: string, marks: Marks | null, agent?: AgentSource) =>
  claims(name, marks, agent).register(name, { region: 'c' });
const observe = (name: string, marks: Marks, agent?: AgentSource) =>
  claims(name, marks, agent).observe({ id: name, region: 'c', data: null });

describe('registering a claim of the namespace', () => {
  it('takes one that a user made', async () => {
    const labels = { team: 'research', 'app.kubernetes.io/name': 'dstacker' };
    expect(await register('models', { labels })).toEqual({ id: 'models', region: 'c', data: null });
  });

  it('refuses one that does not exist, with its namespace and cluster', async () => {
    const refused = 'namespace jobs of cluster c has no claim models';
    await expect(register('models', null)).rejects.toThrow(refused);
  });

  it.each<[string, Marks, string]>([
    [
      'a volume of another project',
      {
        labels: { 'app.kubernetes.io/managed-by': 'dstack', 'k8s.dstack.ai/project': 'other' },
      },
      '(app.kubernetes.io/managed-by=dstack)',
    ],
    [
      'the state of a gateway whose labels were changed',
      { labels: { 'k8s.dstack.ai/gateway': 'id' } },
      '(k8s.dstack.ai/gateway)',
    ],
    [
      'a volume of another server, by its annotation',
      { annotations: { 'k8s.dstack.ai/key': 'volume.create:1:1' } },
      '(k8s.dstack.ai/key)',
    ],
    [
      'the database of a server',
      { labels: { 'app.kubernetes.io/name': 'dstack' } },
      '(app.kubernetes.io/name=dstack)',
    ],
    [
      'the agent of another server',
      { labels: { 'app.kubernetes.io/name': 'dstack-agent' } },
      '(app.kubernetes.io/name=dstack-agent)',
    ],
  ])('refuses %s, with the mark', async (_what, marks, mark) => {
    await expect(register('x', marks)).rejects.toThrow(`belongs to dstack ${mark}`);
  });

  it('refuses the claim from which pods run the agent', async () => {
    const agent = { kind: 'claim', claim: 'programs' } as const;
    await expect(register('programs', {}, agent)).rejects.toThrow('holds the program of the agent');
    expect(await register('other', {}, agent)).toMatchObject({ id: 'other' });
  });
});

describe('a claim that was registered', () => {
  it.each<[string, Marks, AgentSource | undefined]>([
    ['is reserved', { labels: { 'k8s.dstack.ai/reserved': '' } }, undefined],
    ['gets the labels of dstack', { labels: MANAGED }, undefined],
    [
      'gets the key of an order',
      { annotations: { 'k8s.dstack.ai/key': 'volume.create:1:1' } },
      undefined,
    ],
    ['becomes the claim of the agent', {}, { kind: 'claim', claim: 'models' }],
  ])('and then %s is refused with the words of the registration', async (_what, marks, agent) => {
    expect(await observe('models', {}, undefined)).toMatchObject({ state: 'ready' });
    const refused = await register('models', marks, agent).catch((error: Error) => error.message);
    expect(await observe('models', marks, agent)).toEqual({ state: 'failed', text: refused });
  });

  it('is not taken for one that dstack made for a volume', async () => {
    const key = 'volume.create:1:1';
    const annotations = { 'k8s.dstack.ai/key': key };
    const made = await observe(objectName(['main', 'data'], key), { labels: MANAGED, annotations });
    expect(made).toMatchObject({ state: 'ready' });
  });
});
