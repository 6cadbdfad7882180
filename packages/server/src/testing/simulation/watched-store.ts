import type { Change, VolumeRecord } from '@dstack/core';
import type { NewRun, Retention, Store } from '@dstack/store';

export interface StoreWatch {
  /** Before a decision of the engine is written. */
  applying(changes: readonly Change[]): void;
  applied(changes: readonly Change[]): Promise<void>;
  submitted(made: NewRun): void;
  /** A user has asked for the changes that are reported as applied next. */
  requested(changes: readonly Change[]): void;
  created(volume: VolumeRecord): void;
  readonly retention: Retention;
  /** Wraps every write of jobs and quotas. */
  during<T>(write: () => Promise<T>): Promise<T>;
  quotasSet(): Promise<void>;
}

type Decide = (snapshot: never) => { readonly changes: readonly Change[] } | null;
type DecidedWrite = (id: string, decide: Decide, ...more: unknown[]) => Promise<unknown>;

/** A store that reports every write of a decision, in the order of the commits. */
export function watchedStore(store: Store, watch: StoreWatch): Store {
  const { engine, quotas, volumes } = store;
  const apply: typeof engine.apply = (changes, signals, decidedAt) =>
    watch.during(async () => {
      watch.applying(changes);
      const outcome = await engine.apply(changes, signals, decidedAt);
      if (outcome === 'applied') await watch.applied(changes);
      return outcome;
    });
  const submitRun: typeof engine.submitRun = async (submit) => {
    let made: readonly NewRun[] = [];
    const build: typeof submit.build = (name, upstreams) => {
      const run = submit.build(name, upstreams);
      made = [run];
      return run;
    };
    const outcome = await engine.submitRun({ ...submit, build });
    if (outcome.type === 'submitted') for (const run of made) watch.submitted(run);
    return outcome;
  };
  /** The latest decision has been written; before, another write prevented it. */
  const decided =
    (write: DecidedWrite) =>
    (id: string, decide: Decide, ...more: unknown[]) =>
      watch.during(async () => {
        let changes: readonly Change[] = [];
        const outcome = await write(
          id,
          (snapshot) => {
            const decision = decide(snapshot);
            changes = decision?.changes ?? [];
            return decision;
          },
          ...more,
        );
        watch.requested(changes);
        await watch.applied(changes);
        return outcome;
      });
  const { updateRun, updateArray, updateInstance, updateFleet, updateVolume } = engine;
  const writes = {
    updateRun: decided(updateRun as DecidedWrite),
    updateArray: decided(updateArray as DecidedWrite),
    updateInstance: decided(updateInstance as DecidedWrite),
    updateFleet: decided(updateFleet as DecidedWrite),
    updateVolume: decided(updateVolume as DecidedWrite),
  } as Pick<
    typeof engine,
    'updateRun' | 'updateArray' | 'updateInstance' | 'updateFleet' | 'updateVolume'
  >;
  /** One transaction for each run anyway: what is read between two of them is already reported. */
  const updateUnfinishedRuns: typeof engine.updateUnfinishedRuns = async (
    project,
    names,
    decide,
  ) => {
    const found: string[] = [];
    for (const name of names) {
      const write: DecidedWrite = (_, byName) =>
        engine.updateUnfinishedRuns(project, [name], byName as typeof decide);
      found.push(...((await decided(write)(name, decide as Decide)) as string[]));
    }
    return found;
  };
  const applyQuotas: typeof quotas.apply = (changes) =>
    watch.during(async () => {
      const outcome = await quotas.apply(changes);
      await watch.quotasSet();
      return outcome;
    });
  const insert: typeof volumes.insert = async (...args) => {
    const outcome = await volumes.insert(...args);
    if (outcome.type === 'created') watch.created(outcome.volume);
    return outcome;
  };
  return {
    ...store,
    retention: watch.retention,
    engine: { ...engine, apply, submitRun, ...writes, updateUnfinishedRuns },
    quotas: { ...quotas, apply: applyQuotas },
    volumes: { ...volumes, insert },
  };
}
