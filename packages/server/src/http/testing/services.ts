import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Change, FleetRecord, InstanceRecord, JobRecord } from '@dstack/core';
import { fleetRecord, instanceRecord } from '@dstack/core/testing';
import { LOCAL_OFFER } from './offers.ts';
import type { TestServer } from './test-server.ts';

/** A fleet with an instance for every replica that tests start; returns the instances' ids. */
export async function insertInstances(server: TestServer, count: number): Promise<string[]> {
  const { now, newId } = server.deps.context();
  const projectId = (await server.store.projects.byName('main'))?.id ?? '';
  const id = newId();
  const fleet = fleetRecord({
    ...{ id, projectId, name: `fleet-${id.slice(0, 8)}`, createdAt: now, version: 0 },
  });
  const ids = Array.from({ length: count }, () => newId());
  await server.store.engine.createFleet({
    projectId,
    name: { exact: fleet.name },
    build: () => ({
      fleet,
      instances: ids.map((id, num) => busyInstance(id, num, fleet)),
    }),
  });
  return ids;
}

/** Submits a service through the API; none of its jobs runs yet. */
export async function submitService(
  server: TestServer,
  name: string,
  more: object = {},
  project = 'main',
) {
  const configuration = { type: 'service', port: 8000, commands: ['serve'], ...more };
  const run_spec = { run_name: name, configuration, profile: { name: 'default' } };
  const answer = await server.call(`/api/project/${project}/runs/apply`, {
    plan: { run_spec },
    force: false,
  });
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.body as { id: string };
}

/**
 * Its replicas accept requests at these ports, one each; those without a port do not run. By
 * default they have been running for long.
 */
export async function serveAt(
  server: TestServer,
  runId: string,
  ports: readonly (number | null)[],
  instances: readonly string[],
  runningAt = 0,
): Promise<JobRecord[]> {
  const { store } = server;
  const jobs = await store.jobs.ofRun(runId);
  const changes = jobs.map((job, n): Change => {
    const port = ports[n] ?? null;
    const set: Partial<JobRecord> =
      port === null
        ? { registered: false }
        : {
            ...{ status: 'running', registered: true, ready: true, runningAt },
            instanceId: instances[n] ?? null,
            spec: { ...job.spec, service_port: port },
          };
    return { type: 'job.update', id: job.id, version: job.version, set };
  });
  const view = await store.runs.byId(runId);
  const version = view?.run.version ?? 0;
  const running = { type: 'run.update', id: runId, version, set: { status: 'running' } } as const;
  const outcome = await store.engine.apply([...changes, running]);
  if (outcome !== 'applied') throw new Error(outcome);
  return await store.jobs.ofRun(runId);
}

/** Opens connections to local ports, whatever the hosts of the instances. */
export async function openHere({ port }: { readonly port: number }): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

function busyInstance(id: string, instanceNum: number, fleet: FleetRecord): InstanceRecord {
  const { projectId, createdAt } = fleet;
  return instanceRecord({
    ...{ id, projectId, createdAt, fleetId: fleet.id, instanceNum, status: 'busy', busyBlocks: 1 },
    ...{ name: `${fleet.name}-${instanceNum}`, offer: LOCAL_OFFER, provisioningData: null },
    ...{ handle: { id, data: null }, idleSeconds: null, hostId: 'local', version: 0 },
  });
}
