import { randomUUID } from 'node:crypto';
import type { Backend } from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import {
  decideSweep,
  eventMessage,
  nextSweep,
  type OrphanRecord,
  orphanFoundEvent,
  type SweepRecord,
  sweepRetry,
  type Timestamp,
  type Watched,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import type { ClaimKeeper } from './claim-keeper.ts';
import { accountFor, listThings } from './listed-things.ts';
import type { SweptBackend } from './swept-backends.ts';

/** How orphans are handled (`DSTACK_SERVER_SWEEP`). */
export type SweepPolicy = 'report' | 'terminate';

export interface SweepDeps {
  readonly store: Store;
  /** Id of the installation: the tag of its resources. */
  readonly serverId: string;
  readonly policy: SweepPolicy;
  readonly claims: ClaimKeeper;
  /** The orphans that this process has found, by backend. */
  readonly watched: Map<string, Watched>;
  readonly now: () => Timestamp;
  /** Since when `now` has passed evenly; omitted: always. */
  readonly steadySince?: () => Timestamp;
  readonly log: Logger;
}

/**
 * Compares the list of one backend with the database. A failure is recorded, and tried again later.
 */
export async function sweepBackend(
  deps: SweepDeps,
  swept: SweptBackend,
  before: SweepRecord,
): Promise<SweepRecord> {
  try {
    return await sweep(deps, swept, before);
  } catch (error) {
    const { project, backend } = swept;
    deps.log.warn({ project: project.name, backend: backend.name, err: error }, 'sweep failed');
    const failures = before.failures + 1;
    const seed = `${project.id} ${backend.name} ${failures}`;
    const nextAt = sweepRetry(failures, seed, deps.now());
    const failed = {
      ...(await stored(deps, before)),
      failures,
      error: errorMessage(error),
      nextAt,
    };
    await deps.store.sweeps.save({ sweep: failed });
    return failed;
  }
}

/** A renewal that has failed may have stored its nonce, and the account may have it. */
async function stored({ store }: SweepDeps, before: SweepRecord): Promise<SweepRecord> {
  const isSame = (one: SweepRecord) =>
    one.projectId === before.projectId && one.backend === before.backend;
  return (await store.sweeps.list()).find(isSame) ?? before;
}

async function sweep(
  deps: SweepDeps,
  { project, backend }: SweptBackend,
  before: SweepRecord,
): Promise<SweepRecord> {
  const { store, log } = deps;
  const things = await listThings(backend, deps.serverId);
  const claimed = await renewClaim(deps, backend, before);
  const now = deps.now();
  const known = await store.sweeps.orphans();
  const of = { project, backend: backend.name, orphans: known, now };
  const key = `${project.id} ${backend.name}`;
  const decision = decideSweep({
    ...of,
    listed: await accountFor(store, things, of),
    orphans: known.filter((orphan) => isOf(orphan, { project, backend })),
    mayEnd: claimed.hindrance === null,
    watched: deps.watched.get(key) ?? new Map(),
    steadySince: deps.steadySince?.() ?? null,
    newId: randomUUID,
  });
  deps.watched.set(key, decision.watched);
  const seed = `${key} ${now}`;
  const nextAt = nextSweep(decision, seed, now);
  const after = { ...claimed, sweptAt: now, nextAt, failures: 0, error: null };
  const settled = decision.settled.map(({ id }) => id);
  await store.sweeps.save(
    { sweep: after, orphans: decision.orphans, settled },
    { events: decision.events },
  );
  for (const orphan of decision.reported)
    log.warn(fieldsOf(orphan), eventMessage(orphanFoundEvent(project, orphan)));
  for (const orphan of decision.toEnd) await end(deps, backend, orphan, after);
  return after;
}

/** Under every policy, because it keeps copies of this installation from ending its resources. */
async function renewClaim(
  deps: SweepDeps,
  { claims: kept, name }: Backend,
  before: SweepRecord,
): Promise<SweepRecord> {
  const { claims, policy, log } = deps;
  if (kept === undefined) return { ...before, hindrance: `backend ${name} cannot keep claims` };
  try {
    const renewed = await claims.renew(kept, before);
    if (policy === 'terminate') return renewed;
    return { ...renewed, hindrance: 'DSTACK_SERVER_SWEEP is report' };
  } catch (error) {
    claims.lose(before);
    log.warn({ backend: name, err: error }, 'claim not renewed');
    const hindrance = `the claim could not be renewed: ${errorMessage(error)}`;
    return { ...(await stored(deps, before)), hindrance };
  }
}

/** Later sweeps repeat the order until the provider no longer lists the orphan. */
async function end(
  { store, log }: SweepDeps,
  backend: Backend,
  orphan: OrphanRecord,
  sweep: SweepRecord,
): Promise<void> {
  let error: string | null = null;
  try {
    error = await orderEnd(backend, orphan);
    log.warn(fieldsOf(orphan), 'orphan terminated');
  } catch (failure) {
    log.warn({ ...fieldsOf(orphan), err: failure }, 'orphan not terminated');
    error = errorMessage(failure);
  }
  await store.sweeps.save({ sweep, orphans: [{ ...orphan, error }] });
}

/** Why it still exists; null = it has ended, or is ending. */
async function orderEnd(backend: Backend, { kind, handle }: OrphanRecord): Promise<string | null> {
  // Another machine of the same order may serve it.
  if (kind === 'instance') await backend.instances?.release(handle, { isOrphan: true });
  // What it shares with machines that stay is listed by itself once it is unwanted.
  else if (kind === 'gateway') await backend.gateways?.release(handle, { ends: 'machine' });
  else if ((await backend.groups?.delete(handle)) === 'in-use') return 'it is in use';
  return null;
}

function isOf(
  { projectId, backend }: Pick<SweepRecord, 'projectId' | 'backend'>,
  swept: SweptBackend,
): boolean {
  return projectId === swept.project.id && backend === swept.backend.name;
}

function fieldsOf({ backend, kind, handle, owner, key }: OrphanRecord) {
  return { backend, kind, externalId: handle.id, owner, key };
}
