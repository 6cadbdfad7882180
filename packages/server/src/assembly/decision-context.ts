import { randomUUID } from 'node:crypto';
import {
  buildJobSpecs,
  nextFire,
  type RunContext,
  type RunRecord,
  type Timestamp,
  withUnobserved,
} from '@dstack/core';
import type { Cipher } from '@dstack/store';
import type { ServerClock } from '../clock/server-clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import { newNodeKey } from '../keys/node-key.ts';
import type { OpenFiles } from '../process/open-files.ts';
import { jobSpecSettings } from '../settings/job-spec-settings.ts';
import type { ServerSettings } from '../settings/settings.ts';

export interface ContextSources {
  readonly clock?: ServerClock;
  /** Omitted: there are always enough. */
  readonly files?: Pick<OpenFiles, 'shortages'>;
}

/**
 * Inputs that decisions must not create themselves: the time, ids, settings, and job specs by these
 * settings.
 */
export function decisionContext(
  settings: ServerSettings,
  cipher: Cipher,
  { clock = systemClock, files }: ContextSources = {},
): () => RunContext {
  const jobSettings = jobSpecSettings(settings);
  const buildJobs = (run: RunRecord, replicaNum: number, replicaGroup: string) => {
    const built = buildJobSpecs(run.spec, {
      runName: run.name,
      replicaNum,
      replicaGroup,
      newSshKey: () => newNodeKey(cipher),
      settings: jobSettings,
    });
    // The spec was accepted with the same rules when it was submitted.
    if (!built.ok) throw new Error(`run ${run.name}: ${built.message}`);
    return built.jobSpecs;
  };
  return () => ({
    ...timesOf(clock, files),
    newId: randomUUID,
    settings: settings.engine,
    buildJobs,
    nextFire,
  });
}

/**
 * The times of a decision. A server that could open no connection noticed no answer, as over a jump; but another one may have,
 * and what it has waited for is not waited for again.
 */
export function timesOf(
  clock: ServerClock,
  files: ContextSources['files'],
): Pick<RunContext, 'now' | 'steadySince' | 'unobserved'> {
  // The first question of the time notices a jump.
  const now: Timestamp = clock.now();
  const { steadySince, servedElsewhere } = clock;
  const ago = (ms: number): Timestamp => now - Math.round(ms * 1000);
  const unobserved = (files?.shortages ?? [])
    .map(({ from, until }) => ({ from: Math.max(ago(from), servedElsewhere), until: ago(until) }))
    .filter(({ from, until }) => from < until)
    .reduce(withUnobserved, clock.unobserved);
  return { now, steadySince, unobserved };
}
