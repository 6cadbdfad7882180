import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Change, FleetRecord, InstanceRecord, JobRecord } from '@dstack/core';
import { LOCAL_OFFER } from './offers.ts';
import type { TestServer } from './test-server.ts';

/** A fleet with an instance for every replica that tests start; returns the instances' ids. */
export async function insertInstances(server: TestServer, count: number): Promise<string[]> {
  const { now, newId } = server.deps.context();
  const projectId = (await server.store.projects.byName('main'))?.id ?? '';
  const fleet = fleetRecord(newId(), projectId, now);
  const ids = Array.from({ length: count }, () => newId());
  await server.store.engine.createFleet({
    projectId,
    name: { exact: fleet.name },
    build: () => ({
      fleet,
      instances: ids.map((id, num) => instanceRecord(id, num, fleet, now)),
    }),
  });
  return ids;
}

/** Submits a service through the API; none of its jobs runs yet. */
export async function submitService(server: TestServer, name: string, more: object = {}) {
  const configuration = { type: 'service', port: 8000, commands: ['serve'], ...more };
  const run_spec = { run_name: name, configuration, profile: { name: 'default' } };
  const answer = await server.call('/api/project/main/runs/apply', {
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

function fleetRecord(id: string, projectId: string, createdAt: number): FleetRecord {
  return {
    ...{ id, projectId, createdAt, name: `fleet-${id.slice(0, 8)}`, status: 'active' },
    spec: { configuration: { type: 'fleet' } } as never,
    ...{ statusMessage: null, consolidationAttempt: 0, lastConsolidatedAt: null },
    ...{ masterInstanceId: null, nextPassAt: null, deleted: false, version: 0 },
  };
}

function instanceRecord(
  id: string,
  instanceNum: number,
  fleet: FleetRecord,
  now: number,
): InstanceRecord {
  return {
    ...{ id, projectId: fleet.projectId, fleetId: fleet.id, instanceNum },
    ...{ name: `${fleet.name}-${instanceNum}`, backend: 'local', region: 'local', price: 0 },
    ...{ status: 'busy', unreachable: false, health: 'healthy', provisioningJobId: null },
    handle: { id, data: null },
    ...{ offer: LOCAL_OFFER, provisioningData: null, totalBlocks: 1, busyBlocks: 1 },
    ...{ requirements: null, profile: null, idleSeconds: null, hostId: 'local' },
    ...{ hostFacts: null, terminationReason: null, terminationMessage: null, createdAt: now },
    ...{ startedAt: now, finishedAt: null, deletedAt: null, lastJobFinishedAt: null },
    ...{ statusChangedAt: now, unreachableSince: null, nextPassAt: null, deleted: false },
    version: 0,
  };
}
