import { ruleError } from '@dstack/contract/api';
import { arrayOf, type EventActor, type Id, recordEvent, runTarget } from '@dstack/core';
import type { Store } from '@dstack/store';

/** Runs deleted by one transaction, for which all other writes wait. */
const PIECE = 100;

export interface DeletedRuns {
  readonly names: readonly string[];
  readonly actor: EventActor | null;
}

type DeletedFrom = Pick<Store['runs'], 'unfinishedNames' | 'byNames' | 'deleteMembers' | 'delete'>;

/**
 * Deletes ended runs. If one of them is active, nothing is deleted; one that starts under such a name while thousands
 * are being deleted keeps itself and those after it.
 */
export async function deleteEnded(
  { runs }: { readonly runs: DeletedFrom },
  projectId: Id,
  { names, actor }: DeletedRuns,
): Promise<void> {
  const active = await runs.unfinishedNames(projectId, names);
  if (active.length > 0) throw activeRuns(active);
  for (let start = 0; start < names.length; start += PIECE) {
    const piece = names.slice(start, start + PIECE);
    await deleteMembers(runs, projectId, piece);
    const outcome = await runs.delete(projectId, piece, (run) =>
      recordEvent({ action: 'run.deleted', targets: [runTarget(run)], actor }),
    );
    if (outcome.type === 'active') throw activeRuns(outcome.names);
  }
}

/**
 * The members of ended arrays go before them, in pieces: what a crash leaves of an array is deleted by the next request.
 */
async function deleteMembers(
  runs: Pick<Store['runs'], 'byNames' | 'deleteMembers'>,
  projectId: Id,
  names: readonly string[],
): Promise<void> {
  const found = await runs.byNames(projectId, names);
  for (const { id } of found.filter(({ spec }) => arrayOf(spec) !== null)) {
    let last = await runs.deleteMembers(id, null, PIECE);
    while (last !== null) last = await runs.deleteMembers(id, last, PIECE);
  }
}

function activeRuns(names: readonly string[]) {
  const active = names.map((name) => `'${name}'`).join(', ');
  return ruleError(`Cannot delete active runs: [${active}]`);
}
