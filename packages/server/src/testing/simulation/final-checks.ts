/** The invariants that hold once everything rests, and at the end of a story. */
import {
  isJobFinished,
  isJobRunning,
  isRunFinished,
  type RunStatus,
  type VolumeStatus,
} from '@dstack/contract/status';
import { type Id, latestSubmissions } from '@dstack/core';
import type { EventView } from '@dstack/store';
import type { LogStore, LogStreamRef } from '../../logs/log-store.ts';
import { Breach } from './breach.ts';
import type { Scene } from './scene.ts';
import { hasLostVolume } from './volume-checks.ts';

/** 9: at the end every machine and group has a row, and no agent has a job without a row. */
export async function checkNothingLeft({ store, world }: Scene): Promise<void> {
  for (const { id, order } of world.provider.tables.machines.all()) {
    const view = await store.instances.byId(order.instanceId);
    if (!view || view.instance.deleted) throw new Breach(9, `machine ${id} has no row`);
  }
  for (const { name, key } of world.provider.tables.groups.all()) {
    const [, id = ''] = key.split(':');
    const view = await store.groups.byId(id);
    if (!view || view.group.deleted) throw new Breach(9, `group ${name} has no row`);
  }
  for (const host of world.hosts.values()) {
    if (!host.isReachable) continue;
    for (const { spec } of host.jobs.running) {
      const view = await store.jobs.byId(spec.id);
      if (!view || isJobFinished(view.job.status)) {
        throw new Breach(
          9,
          `${spec.job_name} runs on ${host.id} and is ${view?.job.status ?? 'unknown'}`,
        );
      }
    }
  }
}

/** 11: the stored output of a job is what it has printed, and complete once it has ended. */
export async function checkOutput(scene: Scene, logs: LogStore): Promise<void> {
  for (const [jobId, printed] of scene.world.outputs) {
    const view = await scene.store.jobs.byId(jobId);
    if (!view) continue;
    const { job, run, projectName } = view;
    const ref = { project: projectName, run: run.name, jobId };
    const stored = await allOutput(logs, ref);
    const ended = job.terminationReason === 'done_by_runner' || job.exitStatus !== null;
    if (ended ? stored === printed : printed.startsWith(stored)) continue;
    throw new Breach(
      11,
      `${job.name} printed ${printed.length} bytes, ${stored.length} are stored`,
    );
  }
}

async function allOutput(logs: LogStore, ref: LogStreamRef): Promise<string> {
  let output = '';
  for (;;) {
    const piece = await logs.readRaw(ref, output.length, 1_000_000);
    if (piece === null || piece.bytes.length === 0 || piece.offset !== output.length) return output;
    output += Buffer.from(piece.bytes).toString();
  }
}

const CHANGE = /^(Run|Job|Instance|Volume) status changed (\w+) -> (\w+)/;
const MOVED = /^Volume (attached to|detached from) instance/;

/** 10: events match the rows, without a gap and in order. */
export async function checkEvents({ store }: Scene): Promise<void> {
  const at = new Map<Id, string>();
  const attached = new Set<string>();
  let last = 0;
  const page = { limit: 1_000_000, ascending: true } as const;
  for (const event of await store.events.list({ visibleTo: null, page })) {
    if (event.recordedAt <= last) throw new Breach(10, `${event.message} stands out of order`);
    last = event.recordedAt;
    followAttachment(event, attached);
    const [, kind, from, to] = CHANGE.exec(event.message) ?? [];
    if (kind === undefined || from === undefined || to === undefined) continue;
    const target = event.targets.find((one) => one.type === kind.toLowerCase());
    if (!target) continue;
    const known = at.get(target.id);
    if (known !== undefined && known !== from) {
      throw new Breach(10, `${target.name} was ${known}, and then: ${event.message}`);
    }
    at.set(target.id, to);
  }
  for (const run of (await store.runs.list({ projectIds: null })).map((view) => view.run)) {
    checkLastEvent(at, run.id, `run ${run.name}`, run.status);
  }
  for (const { volume } of await store.volumes.list({ projectIds: null })) {
    checkLastEvent(at, volume.id, `volume ${volume.name}`, volume.status);
  }
  const [left] = attached;
  if (left) throw new Breach(10, `no event reports the end of ${left}`);
}

function checkLastEvent(
  at: ReadonlyMap<Id, string>,
  id: Id,
  what: string,
  status: RunStatus | VolumeStatus,
): void {
  const known = at.get(id);
  if (known === undefined || known === status.toUpperCase()) return;
  throw new Breach(10, `${what} is ${status}, its last event has ${known}`);
}

/** A volume is attached to an instance before it is detached from it. */
function followAttachment({ message, targets }: EventView, attached: Set<string>): void {
  const [, what] = MOVED.exec(message) ?? [];
  if (what === undefined) return;
  const nameOf = (type: string) => {
    const target = targets.find((one) => one.type === type);
    return `${target?.name} (${target?.id})`;
  };
  const pair = `the attachment of ${nameOf('volume')} to ${nameOf('instance')}`;
  const isSecond = attached.has(pair) === (what === 'attached to');
  if (isSecond) throw new Breach(10, `${pair}: ${message} twice`);
  if (what === 'attached to') attached.add(pair);
  else attached.delete(pair);
}

/** A service that may run has as many replicas as it wants, under whatever numbers. */
export async function checkServices(scene: Scene): Promise<void> {
  const { store } = scene;
  for (const { run } of await store.runs.list({ onlyActive: true, projectIds: null })) {
    if (run.spec.configuration.type !== 'service' || isRunFinished(run.status)) continue;
    const latest = latestSubmissions(await store.jobs.ofRun(run.id));
    const forever = latest.every((job) => job.spec.commands.join(' ').includes('sim forever'));
    const running = latest.filter((job) => isJobRunning(job.status)).length;
    const waits = latest.some((job) => job.waitingSince !== null && job.finishedAt === null);
    const wanted = Object.values(run.desiredReplicas).reduce((sum, n) => sum + n, 0);
    if (forever && !waits && running !== wanted) {
      const lost = await Promise.all(latest.map((job) => hasLostVolume(scene, job)));
      if (lost.includes(true)) continue;
      const states = latest.map((job) => `${job.replicaNum}:${job.status}`).join(' ');
      throw new Breach(5, `${run.name} wants ${wanted} replicas and has ${states}`);
    }
  }
}
