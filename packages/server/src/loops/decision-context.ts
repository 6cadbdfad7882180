import { randomUUID } from 'node:crypto';
import {
  buildJobSpecs,
  type JobSpecSettings,
  nextFire,
  type RunContext,
  type RunRecord,
  type Timestamp,
} from '@dstack/core';
import type { Cipher } from '@dstack/store';
import type { ServerClock } from '../clock/server-clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import { newNodeKey } from '../keys/node-key.ts';
import type { OpenFiles } from '../process/open-files.ts';
import type { ServerSettings } from '../settings/settings.ts';

export interface ContextSources {
  readonly clock?: ServerClock;
  /** Omitted: there are always enough. */
  readonly files?: Pick<OpenFiles, 'msSinceShort'>;
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
 * The times of a decision. A server that could open no connection received no answer, as after a jump: all
 * deadlines by which a host or a provider has to answer start anew until it has recovered.
 */
export function timesOf(
  clock: ServerClock,
  files: ContextSources['files'],
): Pick<RunContext, 'now' | 'steadySince' | 'jumpedAt'> {
  // The first question of the time notices a jump.
  const now: Timestamp = clock.now();
  const { steadySince, jumpedAt } = clock;
  const msSinceShort = files?.msSinceShort ?? null;
  if (msSinceShort === null) return { now, steadySince, jumpedAt };
  const recoveredAt = now - Math.round(msSinceShort * 1000);
  return { now, steadySince, jumpedAt: Math.max(recoveredAt, jumpedAt ?? 0) };
}

export function jobSpecSettings({ images }: ServerSettings): JobSpecSettings {
  return {
    baseImage: images.base,
    baseImageVersion: images.baseVersion,
    baseImageUbuntu: images.ubuntuVersion,
    dindImage: images.dind,
    defaultPython: images.python,
  };
}
