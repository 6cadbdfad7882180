import type { Change, JobRecord, VolumeRecord } from '@dstack/core';
import type { Retention, Store } from '@dstack/store';

export interface StoreWatch {
  /** Before a decision of the engine is written. */
  applying(changes: readonly Change[]): void;
  applied(changes: readonly Change[]): Promise<void>;
  submitted(jobs: readonly JobRecord[]): void;
  created(volume: VolumeRecord): void;
  readonly retention: Retention;
  /** Wraps every write of jobs and quotas. */
  during<T>(write: () => Promise<T>): Promise<T>;
  quotasSet(): Promise<void>;
}

type Decide = (snapshot: never) => { readonly changes: readonly Change[] } | null;
type DecidedWrite = (id: string, decide: Decide) => Promise<unknown>;

/** A store that reports every write of a decision, in the order of the commits. */
export function watchedStore(store: Store, watch: StoreWatch): Store {
  const { engine, quotas, volumes } = store;
  const apply: typeof engine.apply = (changes, signals) =>
    watch.during(async () => {
      watch.applying(changes);
      const outcome = await engine.apply(changes, signals);
      if (outcome === 'applied') await watch.applied(changes);
      return outcome;
    });
  const submitRun: typeof engine.submitRun = async (submit) => {
    const outcome = await engine.submitRun(submit);
    if (outcome.type === 'submitted') watch.submitted(outcome.jobs);
    return outcome;
  };
  /** The latest decision has been written; before, another write prevented it. */
  const decided = (write: DecidedWrite) => (id: string, decide: Decide) =>
    watch.during(async () => {
      let changes: readonly Change[] = [];
      const outcome = await write(id, (snapshot) => {
        const decision = decide(snapshot);
        changes = decision?.changes ?? [];
        return decision;
      });
      await watch.applied(changes);
      return outcome;
    });
  const { updateInstance, updateFleet, updateVolume } = engine;
  const writes = {
    updateInstance: decided(updateInstance as DecidedWrite),
    updateFleet: decided(updateFleet as DecidedWrite),
    updateVolume: decided(updateVolume as DecidedWrite),
  } as Pick<typeof engine, 'updateInstance' | 'updateFleet' | 'updateVolume'>;
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
    engine: { ...engine, apply, submitRun, ...writes },
    quotas: { ...quotas, apply: applyQuotas },
    volumes: { ...volumes, insert },
  };
}
