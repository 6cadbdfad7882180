import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Requirements } from '@dstack/contract/wire';
import { requirementsMatch } from '@dstack/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerOrder } from '../base/instance-port.ts';
import type { OpenedBackend } from '../base/kind.ts';
import { newOrder } from '../base/testing/orders.ts';
import { openKubernetes } from './kubernetes.ts';

const REQUIRED = Requirements.parse({
  resources: { cpu: '1..', memory: '0.1GB..', disk: null, gpu: null },
});
const CONTAINER: ContainerOrder = {
  ...{ jobName: 'train-0-0', runName: 'train', userName: 'ada', image: 'busybox:1' },
  ...{ registryAuth: null, user: null, privileged: false, needsAddress: false, gang: null },
  ...{ mounts: [], settings: null, resources: REQUIRED.resources },
};

/** One API server for two clusters, whose paths begin with `/a` and `/b`; `b` may be broken. */
let server: Server;
let opened: OpenedBackend;
let created: string[];
let isBroken: boolean;

beforeEach(async () => {
  created = [];
  isBroken = false;
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const named = ['a', 'b'];
  const kubeconfig = {
    clusters: named.map((name) => ({
      name,
      cluster: { server: `http://127.0.0.1:${port}/${name}` },
    })),
    users: [{ name: 'u', user: {} }],
    contexts: [
      { name: 'east', context: { cluster: 'a', user: 'u', namespace: 'jobs' } },
      { name: 'west', context: { cluster: 'b', user: 'u' } },
    ],
  };
  opened = openKubernetes({
    config: {
      ...{ type: 'kubernetes', contexts: ['east', { name: 'west', proxy_jump: null }] },
      ...{ proxy_jump: null, namespace: null },
      kubeconfig: { filename: '', data: JSON.stringify(kubeconfig) },
    },
    ...{
      serverId: 'server',
      secret: 'secret',
      agentImage: 'agent:1',
      mountsAgentImage: false,
      agentClaim: null,
    },
    programs: { node: unused, libraries: unused, agent: unused },
    matches: requirementsMatch,
    ...{ scheduleSeconds: 10, scaleUpSeconds: 60 },
  });
});
afterEach(() => {
  opened.close();
  server.closeAllConnections();
  server.close();
});

async function unused(): Promise<never> {
  throw new Error('nothing is copied');
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', 'http://api');
  const [, cluster = '', ...rest] = url.pathname.split('/');
  if (cluster === 'b' && isBroken) return void response.writeHead(500).end('{}');
  if (request.method === 'POST') {
    created.push(`${cluster}/${rest.slice(2).join('/')}`);
    return void response.end(await text(request));
  }
  if (url.searchParams.has('watch')) return response.flushHeaders();
  const allocatable = { cpu: '4', memory: '8Gi', 'ephemeral-storage': '10Gi' };
  const node = { metadata: { name: `node-${cluster}` }, status: { allocatable } };
  const items = rest.at(-1) === 'nodes' ? [node] : [];
  response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items }));
}

describe('several contexts', () => {
  it('are regions, and have pods in the namespace of each', async () => {
    const { offers } = await opened.backend.offers(REQUIRED);
    expect(offers.map(({ region, instance }) => [region, instance.name])).toEqual([
      ['east', 'node-a'],
      ['west', 'node-b'],
    ]);
    // Official clients refuse fractions.
    expect(offers[0]?.instance.resources.memory_mib).toBe(103);
    for (const offer of offers) {
      const order = { ...newOrder(offer, 'server'), container: CONTAINER };
      await opened.backend.instances?.create(order);
    }
    expect(created.filter((path) => path.endsWith('pods'))).toEqual([
      'a/namespaces/jobs/pods',
      'b/namespaces/default/pods',
    ]);
  });

  it('have offers of the others while one is broken, and say so', async () => {
    isBroken = true;
    const { offers, notes } = await opened.backend.offers(REQUIRED);
    expect(offers.map(({ region }) => region)).toEqual(['east']);
    expect(notes).toEqual([expect.stringContaining('cluster west is left out')]);
  });
});
