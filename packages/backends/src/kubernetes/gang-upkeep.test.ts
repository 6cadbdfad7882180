import { describe, expect, it } from 'vitest';
import { ApiError, CONFLICT } from './api/client.ts';
import type { KubeObject, Pod } from './api/objects.ts';
import type { Cluster } from './cluster.ts';
import { restoreGangNames } from './gang-upkeep.ts';

const RUNNING = { containerStatuses: [{ name: 'job', state: { running: {} } }] };

function pod(name: string, subdomain: string | undefined, more: Partial<Pod> = {}): Pod {
  const labels = { 'app.kubernetes.io/instance': name, 'k8s.dstack.ai/gang': subdomain ?? '' };
  return {
    metadata: { name, uid: `uid-${name}`, labels, annotations: { 'k8s.dstack.ai/key': 'k' } },
    spec: { nodeName: 'n1', ...(subdomain === undefined ? {} : { subdomain }) },
    ...{ status: RUNNING, ...more },
  } as Pod;
}

function world(pods: readonly Pod[], services: readonly string[]) {
  const made: (KubeObject & { readonly spec: object })[] = [];
  const cluster = {
    pods,
    path: (kind: string, name?: string) => (name === undefined ? kind : `${kind}/${name}`),
    client: {
      find: async ({ path }: { path: string }) => (services.includes(path) ? {} : null),
      call: async ({ body }: { body: (typeof made)[number] }) => {
        if (body.metadata.name === 'met') throw new ApiError(CONFLICT, 'AlreadyExists', 'met');
        made.push(body);
        return body;
      },
    },
  } as unknown as Cluster;
  return { cluster, made };
}

describe('the Service of a gang', () => {
  it('is made again while pods of the gang run, which own it together', async () => {
    const pods = [pod('a-0', 'a'), pod('a-1', 'a'), pod('b-0', 'b'), pod('alone', undefined)];
    const { cluster, made } = world(pods, ['services/b']);
    await restoreGangNames(cluster);
    expect(made).toMatchObject([
      {
        metadata: {
          name: 'a',
          labels: { 'app.kubernetes.io/instance': 'a' },
          annotations: { 'k8s.dstack.ai/key': 'k' },
          ownerReferences: [{ kind: 'Pod', uid: 'uid-a-0' }, { uid: 'uid-a-1' }],
        },
        spec: { clusterIP: 'None', selector: { 'k8s.dstack.ai/gang': 'a' } },
      },
    ]);
    expect(made[0]?.metadata.labels).not.toHaveProperty('k8s.dstack.ai/gang');
  });

  it('is not made for pods that end or have not started', async () => {
    const deletionTimestamp = '2026-01-01T00:00:00Z';
    const ending = pod('a-0', 'a');
    const { cluster, made } = world(
      [
        { ...ending, metadata: { ...ending.metadata, deletionTimestamp } },
        pod('a-1', 'a', { status: { phase: 'Pending' } }),
      ],
      [],
    );
    await restoreGangNames(cluster);
    expect(made).toEqual([]);
  });

  it('may have been made by another server meanwhile', async () => {
    const { cluster, made } = world([pod('met-0', 'met'), pod('a-0', 'a')], []);
    await restoreGangNames(cluster);
    expect(made.map(({ metadata: { name } }) => name)).toEqual(['a']);
  });
});
