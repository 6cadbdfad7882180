/**
 * Placement alone: a store in memory with a large pool and the steps of a pass by themselves, as CPU
 * time of this process. Nothing runs on the instances.
 */
import { randomUUID } from 'node:crypto';
import {
  place,
  wantsBackendOffers,
  withBackends,
  withPastTimes,
} from '../packages/core/src/index.ts';
import {
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
} from '../packages/core/src/placement/testing.ts';
import { openMemoryStore, type Store } from '../packages/store/src/index.ts';
import { print } from './measure.ts';

const INSTANCES = '1500';
const PER_FLEET = 500;
const BLOCKS = 5;
const GANGS = 300;

const settings = { localMaxInstances: 4, maxOffersTried: 25 } as never;

/** The submission, and the stages of the pass of a pool (`server/src/loops/work/pool.ts`). */
type Stage = 'submit' | 'reading' | 'pastTimes' | 'questions' | 'deciding' | 'writing';

/** `argument`: how many instances. */
export async function placement(argument = INSTANCES): Promise<void> {
  const instances = Number(argument);
  const pool = await openPool(instances);
  await passes(pool, `${argument} instances, alike`, GANGS, () => ({ cpu: '1..' }));
  await passes(pool, `${argument} instances, each its own demand`, GANGS, (i) => ({
    cpu: '1..',
    memory: `${(500 + i) / 1000}GB..`,
  }));
  await fill(pool, instances * BLOCKS);
  await passes(pool, `${argument} instances, full, alike`, GANGS, () => ({ cpu: '1..' }));
  await passes(pool, `${argument} instances, full, each its own demand`, GANGS, (i) => ({
    cpu: '1..',
    memory: `${(1500 + i) / 1000}GB..`,
  }));
  await pool.store.close();
}

interface Pool {
  readonly store: Store;
  readonly projectId: string;
  readonly userId: string;
}

export async function openPool(count: number): Promise<Pool> {
  const store = await openMemoryStore({
    ...{ now: () => Date.now() * 1000, newId: randomUUID },
    logger: { debug() {}, info() {}, warn() {}, error: console.error },
    cipher: { encrypt: (text) => text, decrypt: (text) => text },
  });
  const keys = { sshPublicKey: '', sshPrivateKey: '', createdAt: 1 };
  const user = { ...keys, id: randomUUID(), name: 'alice', globalRole: 'admin' as const };
  await store.users.insert({ ...user, email: null, active: true, token: randomUUID() });
  const project = { ...keys, id: randomUUID(), name: 'main', ownerId: user.id };
  await store.projects.insert({ ...project, isPublic: false, templatesRepo: null });
  const offer = { ...anOffer({ cpus: 10, memoryGb: 40 }), total_blocks: BLOCKS };
  for (let from = 0; from < count; from += PER_FLEET) {
    const name = `pool-${from}`;
    const size = Math.min(PER_FLEET, count - from);
    const fleet = {
      ...aFleet(name, { nodes: String(size), blocks: BLOCKS }),
      id: randomUUID(),
      projectId: project.id,
    };
    const instances = Array.from({ length: size }, (_, i) =>
      anInstance(fleet, i, offer, { id: randomUUID(), totalBlocks: BLOCKS, status: 'idle' }),
    );
    await store.engine.createFleet({
      projectId: project.id,
      name: { exact: name },
      build: () => ({ fleet, instances }),
    });
  }
  return { store, projectId: project.id, userId: user.id };
}

let names = 0;

export async function submitOne(
  { store, projectId, userId }: Pool,
  resources: object,
): Promise<void> {
  const name = `run-${names++}`;
  const run = aRun(
    name,
    { resources: { gpu: 0, disk: '1GB..', ...resources }, retry: true },
    { id: randomUUID(), projectId, userId, submittedAt: Date.now() * 1000 + names },
  );
  const { jobs } = aGang(run);
  await store.engine.submitRun({
    projectId,
    name: { exact: name },
    build: () => ({ run, jobs: jobs.map((job) => ({ ...job, id: randomUUID() })) }),
    superseded: () => {
      throw new Error(`there was a run ${name} already`);
    },
  });
}

/** One pass of placement; whether it placed something. */
async function pass(
  { store, projectId }: Pool,
  spent: (stage: Stage) => void = () => {},
): Promise<boolean> {
  const ctx = { now: Date.now() * 1000, steadySince: 0, newId: randomUUID, settings };
  const [poolId] = await store.engine.waitingFor({ kind: 'project', projectId });
  const loaded = await store.engine.loadPlacement(poolId ?? '', 'new');
  spent('reading');
  if (loaded === null) return false;
  const snapshot = withBackends(withPastTimes(loaded, ctx as never), () => null);
  spent('pastTimes');
  wantsBackendOffers(snapshot, ctx.now);
  spent('questions');
  const decision = place(snapshot, new Map(), ctx as never);
  spent('deciding');
  await store.engine.apply(decision.changes, decision.signals);
  spent('writing');
  return Number(decision.summary.placed) > 0;
}

async function passes(
  pool: Pool,
  name: string,
  count: number,
  resources: (i: number) => object,
): Promise<void> {
  const stages: Record<Stage, number> = {
    submit: 0,
    reading: 0,
    pastTimes: 0,
    questions: 0,
    deciding: 0,
    writing: 0,
  };
  let last = process.cpuUsage();
  const spent = (stage: Stage) => {
    const { user, system } = process.cpuUsage(last);
    stages[stage] += (user + system) / 1000;
    last = process.cpuUsage();
  };
  let placed = 0;
  for (let i = 0; i < count; i++) {
    await submitOne(pool, resources(i));
    spent('submit');
    if (await pass(pool, spent)) placed += 1;
  }
  const each = (ms: number) => Math.round((ms / count) * 100) / 100;
  const own = Object.entries(stages).map(([stage, ms]) => [stage, each(ms)] as const);
  const { submit, ...ofPlacement } = stages;
  const cpu = Object.values(ofPlacement).reduce((sum, ms) => sum + ms, 0);
  const perSecond = Math.round((count / cpu) * 1000);
  print({ name, unit: 'CPU ms', perSecond, placed, ...Object.fromEntries(own) });
}

/** Gives away everything that is free. */
async function fill(pool: Pool, most: number): Promise<void> {
  for (let i = 0; i < most; i += PER_FLEET) {
    for (let j = 0; j < PER_FLEET; j++) await submitOne(pool, { cpu: '1..' });
    if (!(await pass(pool))) return;
  }
}
