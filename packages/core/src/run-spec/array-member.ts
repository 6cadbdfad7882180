/** The run of one member of an array. */
import {
  arrayIndexes,
  interpolateMember,
  memberName,
  memberValues,
  type TaskArray,
  variableName,
} from '@dstack/contract';
import type { RunSpec } from '@dstack/contract/wire';
import type { ArrayDirective, ArrayRecord, Id, RunRecord, Timestamp } from '../model/index.ts';
import { eligibleSince } from './eligible-since.ts';

/** The array of a run's spec; null = it is an ordinary run, or a member. */
export function arrayOf({ configuration }: RunSpec): TaskArray | null {
  return configuration.type === 'task' ? (configuration.array ?? null) : null;
}

const indexes = new WeakMap<TaskArray, readonly number[]>();

/** The indexes of the members that run, rising. */
export function indexesOf(array: TaskArray): readonly number[] {
  const known = indexes.get(array);
  if (known !== undefined) return known;
  const found = arrayIndexes(array);
  indexes.set(array, found);
  return found;
}

/** The spec of one member: with its values in place of the array. Specs without an array stay as they are. */
export function memberSpec(spec: RunSpec, index: number): RunSpec {
  const array = arrayOf(spec);
  if (array === null) return spec;
  const values = memberValues(array, index);
  const variables = Object.entries(values).map(([key, value]) => [variableName(key), value]);
  const { array: _array, depends_on: _runs, ...rest } = configurationOf(spec, values);
  const run_name = spec.run_name === null ? null : memberName(spec.run_name, index);
  const env = { ...rest.env, ...Object.fromEntries(variables) };
  return { ...spec, run_name, configuration: { ...rest, name: run_name, env } };
}

function configurationOf({ configuration }: RunSpec, values: Readonly<Record<string, string>>) {
  if (configuration.type !== 'task') throw new Error(`no array in a ${configuration.type}`);
  return interpolateMember(configuration, values);
}

/** The id of a member is fixed before its birth, so that it cannot be born twice. */
export function memberId(arrayId: Id, index: number): Id {
  const [head, node] = [arrayId.slice(0, 24), arrayId.slice(24)];
  const next = (Number.parseInt(node, 16) + index + 1) % 2 ** 48;
  return head + next.toString(16).padStart(12, '0');
}

/**
 * Whether this index is still to be born. The records of members do not show it: retention deletes those of
 * members that have ended while their array goes on.
 */
export function isUnborn(
  array: TaskArray,
  { nextPosition, early }: Pick<ArrayRecord, 'nextPosition' | 'early'>,
  index: number,
): boolean {
  return indexesOf(array).indexOf(index) >= nextPosition && !early.includes(index);
}

export interface Birth {
  readonly now: Timestamp;
  /** Number of the directive that is in force. */
  readonly generation: number;
}

/** The run of a member when it is born: its first pass submits its job. */
export function memberRun(array: RunRecord, index: number, { now, generation }: Birth): RunRecord {
  const name = memberName(array.name, index);
  return {
    ...array,
    id: memberId(array.id, index),
    name,
    spec: memberSpec({ ...array.spec, run_name: array.name }, index),
    status: 'pending',
    terminationReason: null,
    deploymentNum: 0,
    desiredReplicas: { '0': 1 },
    resubmissionAttempt: 0,
    fleetId: null,
    submittedAt: now,
    dependencyState: null,
    lastOutcome: null,
    hold: null,
    eligibleAt: null,
    arrayId: array.id,
    arrayIndex: index,
    arraySince: memberSince(array, index),
    arraySeen: generation,
    lastProcessedAt: now,
    nextTriggeredAt: null,
    nextPassAt: now,
    deleted: false,
    version: 0,
  };
}

/** Members come in the order of their indexes, in the place of their array. */
export function memberSince(
  array: Pick<RunRecord, 'submittedAt' | 'eligibleAt' | 'arraySince'>,
  index: number,
): Timestamp {
  return eligibleSince(array) + index;
}

/** The state that the run of an array requires of its members now, at the submission or after `last`. */
export function directiveOf(
  run: RunRecord,
  last?: Pick<ArrayRecord, 'generation' | 'directive'>,
): ArrayDirective {
  const { priority, hold, eligibleAt, status, terminationReason } = run;
  const end = status === 'terminating' ? terminationReason : null;
  return { priority, prioritySince: prioritySince(priority, last), hold, eligibleAt, end };
}

function prioritySince(
  priority: number,
  last: Pick<ArrayRecord, 'generation' | 'directive'> | undefined,
): number {
  if (last === undefined) return 0;
  const { generation, directive } = last;
  return directive.priority === priority ? directive.prioritySince : generation + 1;
}
