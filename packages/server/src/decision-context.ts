import { randomUUID } from 'node:crypto';
import {
  buildJobSpecs,
  type JobSpecSettings,
  nextFire,
  type RunContext,
  type RunRecord,
} from '@dstack/core';
import type { Cipher } from '@dstack/store';
import type { ServerClock } from './clock/server-clock.ts';
import { systemClock } from './clock/system-clock.ts';
import { newNodeKey } from './node-key.ts';
import type { ServerSettings } from './settings.ts';

/**
 * Inputs that decisions must not create themselves: the time, ids, settings, and job specs by these
 * settings.
 */
export function decisionContext(
  settings: ServerSettings,
  cipher: Cipher,
  clock: ServerClock = systemClock,
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
    now: clock.now(),
    steadySince: clock.steadySince,
    jumpedAt: clock.jumpedAt,
    newId: randomUUID,
    settings: settings.engine,
    buildJobs,
    nextFire,
  });
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
