import type { Timestamp } from '@dstack/core';
import type { ReadOutage } from '@dstack/proxy';
import type { Store } from '@dstack/store';
import { unavailabilityOf } from './unavailability.ts';
import { shownUnavailability } from './unavailability-text.ts';

export interface OutageReaderOptions {
  readonly store: Pick<Store, 'projects' | 'runs'>;
  /** Services behind gateways too. */
  readonly isOfGateways?: boolean;
  readonly now: () => Timestamp;
}

/** Finds the causes of outages in the database. */
export function outageReader({
  store,
  isOfGateways = false,
  now,
}: OutageReaderOptions): ReadOutage {
  return async (projectName, runName) => {
    const project = await store.projects.byName(projectName);
    const view = project && (await store.runs.byName(project.id, runName));
    if (!view) return null;
    const { run, jobs } = view;
    const { configuration } = run.spec;
    if (run.serviceSpec === null || configuration.type !== 'service') return null;
    if (run.gatewayId !== null && !isOfGateways) return null;
    const why = unavailabilityOf({ run, jobs }, now());
    return {
      ...{ projectName: project.name, runName: run.name, auth: configuration.auth },
      why: why && shownUnavailability(why, now()),
    };
  };
}
