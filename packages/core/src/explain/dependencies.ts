/** The reason why a run that depends on others waits, and the chain behind them. */
import type { DependencyCondition } from '@dstack/contract';
import type { DependencyRecord, Id } from '../model/index.ts';
import { isUnmet } from '../placement/eligible/dependencies.ts';
import { isRunPending } from '../status/index.ts';
import { type Reason, reason } from './diagnosis.ts';
import type { UpstreamRun } from './input.ts';
import { listText } from './texts.ts';

const WANTED: Readonly<Record<DependencyCondition, string>> = {
  success: 'is done',
  end: 'has ended',
  failure: 'has failed',
};

/** Links of a chain that a text names, and runs of each link. */
const LONGEST = 10;
const SHOWN = 3;

/** The runs behind the dependencies, by id, and those that a text has described. */
interface Chain {
  readonly known: ReadonlyMap<Id, UpstreamRun>;
  readonly described: Set<Id>;
}

/** One for each dependency that is open, or that can no longer come true. */
export function dependencyReasons(
  dependencies: readonly DependencyRecord[],
  upstreams: readonly UpstreamRun[],
): Reason[] {
  const known = new Map(upstreams.map((one) => [one.run.id, one]));
  const chain = { known, described: new Set<Id>() };
  const relevant = dependencies.some(isUnmet)
    ? dependencies.filter(isUnmet)
    : dependencies.filter(({ outcome }) => outcome === null);
  return relevant.map((one) =>
    reason('dependency', dependencyText(one, chain), {
      asked: `${one.name}: ${one.on}`,
      has: one.outcome ?? known.get(one.upstreamId)?.run.status ?? null,
    }),
  );
}

function dependencyText(one: DependencyRecord, chain: Chain): string {
  if (isUnmet(one)) {
    const has = one.outcome === 'success' ? 'is done' : 'has failed';
    return `depends on the ${one.on} of run ${one.name}, which ${has}`;
  }
  return `waits until run ${one.name} ${WANTED[one.on]}${stateText(one.upstreamId, chain, LONGEST)}`;
}

/**
 * `, which is pending and waits until run prepare is done, which is running`. Empty where it was described before: the number of
 * ways between the runs of a few links has no bound.
 */
function stateText(id: Id, chain: Chain, links: number): string {
  const upstream = chain.known.get(id);
  if (upstream === undefined || links === 0 || chain.described.has(id)) return '';
  chain.described.add(id);
  const { run, dependencies } = upstream;
  if (run.hold !== null && isRunPending(run.status)) return `, which is held by ${run.hold.by}`;
  const open = dependencies.filter(({ outcome }) => outcome === null);
  if (!isRunPending(run.status) || open.length === 0) return `, which is ${run.status}`;
  const texts = open.map(({ name, on, upstreamId }, at) => {
    const state = at < SHOWN ? stateText(upstreamId, chain, links - 1) : '';
    return `run ${name} ${WANTED[on]}${state}`;
  });
  return `, which waits until ${listText(texts, SHOWN)}`;
}
