import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessage } from '@dstack/contract/error-message';
import { JobFailure } from '../executor/job-failure.ts';
import { repoNotEmpty } from './git-clone.ts';
import {
  type HostPlacement,
  type PlacementItem,
  placementItems,
  type Uploads,
} from './host-placement.ts';
import { PlacementLedger } from './placement-ledger.ts';
import { Publisher } from './publish.ts';
import { homeFiles } from './small-files.ts';
import { Staging } from './staging.ts';
import {
  type DirectoryOwners,
  directoryRefusal,
  type PlacementTarget,
  readTarget,
  realPath,
  type TargetRefusal,
  targetRefusalText,
} from './target.ts';
import { writeSmallFile } from './write-small-file.ts';

/**
 * Places the repo and the files of a job with the rights of this process, all or nothing: it checks
 * every target before it builds trees, and builds all trees before it moves the first one. Throws
 * `JobFailure`.
 */
export async function placeOnHost(
  placement: HostPlacement,
  uploads: Uploads,
  signal: AbortSignal,
): Promise<void> {
  const { id, home, work, stage } = placement;
  const ledger = new PlacementLedger(stage, id);
  const publisher = new Publisher(ledger, signal);
  // An earlier attempt may have been interrupted.
  for (const dir of [home, work]) empty(dir);
  empty(stage, PlacementLedger.fileName);
  try {
    await place(placement, checkTargets(placement, uploads, ledger, signal), publisher, signal);
  } catch (error) {
    publisher.undo();
    if (signal.aborted || error instanceof JobFailure) throw error;
    throw new JobFailure(
      'executor_error',
      `Failed to put the job's files in place: ${errorMessage(error)}`,
    );
  } finally {
    empty(stage, PlacementLedger.fileName);
  }
}

interface Wanted {
  readonly item: PlacementItem;
  readonly target: PlacementTarget;
}

/** Throws a `JobFailure` that names every refused target. */
function checkTargets(
  placement: HostPlacement,
  uploads: Uploads,
  ledger: PlacementLedger,
  signal: AbortSignal,
): Wanted[] {
  const owners = groundsOf(placement);
  const wanted: Wanted[] = [];
  const refusals: TargetRefusal[] = [];
  for (const item of placementItems(placement, uploads, signal)) {
    const target = readTarget(item.path, owners, ledger.isPlaced);
    if (!('refused' in target)) wanted.push({ item, target });
    else if (item.kind === 'files' || target.refused !== 'not_empty') refusals.push(target);
    else if (placement.spec.repo?.exists_action === 'error') throw repoNotEmpty(item.path);
  }
  const cwd = directoryRefusal(placement.cwd, owners);
  if (cwd) refusals.push(cwd);
  if (refusals.length > 0) throw refused(refusals);
  return wanted;
}

async function place(
  placement: HostPlacement,
  wanted: readonly Wanted[],
  publisher: Publisher,
  signal: AbortSignal,
): Promise<void> {
  const staging = new Staging(placement.stage);
  for (const { target, item } of outermostFirst(wanted)) {
    await staging.add(target, item.make).catch((error) => {
      throw signal.aborted || error instanceof JobFailure
        ? error
        : item.failure(errorMessage(error));
    });
  }
  // Targets outside the job's own directories first: only these can still be refused.
  const isOwn = ({ target }: { readonly target: PlacementTarget }) =>
    Number(target.state === 'own');
  for (const each of staging.publications.toSorted((a, b) => isOwn(a) - isOwn(b))) {
    await publisher.publish(each);
  }
  for (const file of homeFiles(placement, real(placement.home))) writeSmallFile(file);
  publisher.makeDirectory(real(placement.cwd));
}

/** The sort is stable, so that of two items for one target the later one replaces the first. */
function outermostFirst(wanted: readonly Wanted[]): Wanted[] {
  const depth = ({ target }: Wanted) => target.path.split('/').length;
  return wanted.toSorted((a, b) => depth(a) - depth(b));
}

function groundsOf({ home, work, reserved }: HostPlacement): DirectoryOwners {
  return {
    own: [home, work].map(real),
    reserved: reserved.map(real),
  };
}

/** If a link on the path is broken, the path itself: the call that uses it reports the error. */
function real(path: string): string {
  return realPath(path) ?? path;
}

function refused(refusals: readonly TargetRefusal[]): JobFailure {
  return new JobFailure(
    'executor_error',
    `${[...new Set(refusals.map(targetRefusalText))].join('; ')}. Jobs run on the host itself here, and a job never replaces files that it has not created: choose a path that does not exist, or one below the job's own directory (a relative one, or ~/…)`,
  );
}

function empty(dir: string, but?: string): void {
  for (const name of readdirSync(dir)) {
    if (name !== but) rmSync(join(dir, name), { recursive: true, force: true });
  }
}
