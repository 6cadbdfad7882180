/** Arrays: the members that are not born yet, and which of them run again. */
import { formatIndexes, memberName, parseMemberName } from '@dstack/contract';
import { ruleError } from '@dstack/contract/api';
import { isRunAlive, isRunDone, isRunFinished } from '@dstack/contract/status';
import type { RunSpec } from '@dstack/contract/wire';
import {
  arrayOf,
  type Change,
  directiveOf,
  indexesOf,
  isUnborn,
  MOST_WAITING_MEMBERS,
  memberId,
  memberRun,
  type RunRecord,
  recordEvent,
  runTarget,
  type UserRequest,
} from '@dstack/core';
import type { NewRun, ProjectRecord, RunView } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';

/**
 * Whether clients may mean the run by this name: its own, or that of its array, of which clients of 0.22.5
 * see members as jobs.
 */
export const isNamed = ({ name, arrayIndex }: RunRecord, wanted: string): boolean =>
  name === wanted || (arrayIndex !== null && name === memberName(wanted, arrayIndex));

/** How many runs may wait at one time because of this one. */
export function mostAtOnce(spec: RunSpec): number {
  const array = arrayOf(spec);
  if (array === null) return 1;
  return Math.min(indexesOf(array).length, array.max_parallel, MOST_WAITING_MEMBERS);
}

/** Returns the record that is stored beside the run of an array. */
export function newArray(run: RunRecord): Pick<NewRun, 'array'> {
  const array = arrayOf(run.spec);
  if (array === null) return {};
  return {
    array: {
      total: indexesOf(array).length,
      maxParallel: array.max_parallel,
      maxFailures: array.max_failures,
      directive: directiveOf(run),
    },
  };
}

interface Unborn {
  readonly array: RunRecord;
  readonly index: number;
}

/** The array of which this is the name of a member that is not born. */
async function unborn(
  deps: HttpDeps,
  project: ProjectRecord,
  name: string,
): Promise<Unborn | null> {
  const parsed = parseMemberName(name);
  if (parsed === null) return null;
  const [array] = await deps.store.runs.byNames(project.id, [parsed.array]);
  const spec = array === undefined ? null : arrayOf(array.spec);
  if (array === undefined || spec === null) return null;
  const { index } = parsed;
  const known = await deps.store.runs.arrayOf(array.id);
  return known !== null && isUnborn(spec, known, index) ? { array, index } : null;
}

/** A member that is not born yet, as its array knows it: it waits, or will not be born any more. */
export async function unbornMember(
  deps: HttpDeps,
  project: ProjectRecord,
  name: string,
): Promise<RunView | null> {
  const found = await unborn(deps, project, name);
  if (found === null) return null;
  const { array: run, index } = found;
  const user = await deps.store.users.byId(run.userId);
  const member = memberRun(run, index, { now: run.submittedAt, generation: 0 });
  const ended = { status: 'terminated', terminationReason: run.terminationReason } as const;
  return {
    run: {
      ...member,
      ...(isRunFinished(run.status) ? ended : { hold: run.hold }),
      nextPassAt: null,
    },
    projectName: project.name,
    userName: user?.name ?? '',
    fleet: null,
    jobs: [],
    probes: {},
    pulls: {},
    stages: {},
    cost: 0,
  };
}

/** A member that is stopped before its birth is born as one that ends. False: there is none of this name. */
export async function stopUnborn(
  deps: HttpDeps,
  project: ProjectRecord,
  name: string,
  { actor, now, abort }: UserRequest & { readonly abort: boolean },
): Promise<boolean> {
  const found = await unborn(deps, project, name);
  if (found === null) return false;
  const { index } = found;
  const id = memberId(found.array.id, index);
  const done = await deps.store.engine.updateArray(found.array.id, ({ run, array }) => {
    const spec = arrayOf(run.spec);
    // Born meanwhile, or never any more.
    if (spec === null || !isUnborn(spec, array, index) || !isRunAlive(run.status)) return null;
    const member: RunRecord = {
      ...memberRun(run, index, { now, generation: array.generation }),
      status: 'terminating',
      terminationReason: abort ? 'aborted_by_user' : 'stopped_by_user',
    };
    const event = recordEvent({
      action: 'run.submitted',
      data: { status: member.status },
      ...{ targets: [runTarget(member)], actor },
    });
    const changes: Change[] = [
      // The array's pass must not bear it at the same moment.
      { type: 'run.update', id: run.id, version: run.version, set: {} },
      { type: 'run.insert', run: member },
      { type: 'array.update', id: run.id, set: { early: [...array.early, index] } },
      { type: 'event', event },
    ];
    return { changes, signals: [{ kind: 'run', id }] };
  });
  return done !== null;
}

/** The spec of the members alone that are not done. Throws `ApiError` if all are, or some are unknown. */
export async function specOfFailed(deps: HttpDeps, { run }: RunView): Promise<RunSpec> {
  const array = arrayOf(run.spec);
  const { configuration } = run.spec;
  if (array === null || configuration.type !== 'task') {
    throw ruleError(
      `Run ${run.name} is no array, so it has no failed members: run it again as a whole`,
    );
  }
  if (!isRunFinished(run.status)) {
    throw ruleError(`Array ${run.name} is ${run.status}: wait until it has ended, or stop it`);
  }
  const done = new Set<number>();
  for (const member of await deps.store.runs.members(run.id)) {
    if (isRunDone(member.status)) done.add(member.index);
  }
  const known = await deps.store.runs.arrayOf(run.id);
  if (known !== null && known.members.done > done.size) {
    throw ruleError(
      `Array ${run.name} cannot be run again in part: members of it were removed by retention. Apply its configuration again`,
    );
  }
  const left = indexesOf(array).filter((index) => !done.has(index));
  if (left.length === 0) throw ruleError(`All members of array ${run.name} are done`);
  const indexes = formatIndexes(left);
  return { ...run.spec, configuration: { ...configuration, array: { ...array, indexes } } };
}
