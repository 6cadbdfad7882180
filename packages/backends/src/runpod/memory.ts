import type { GpuType, Pod } from './api.ts';

/** Facts about an account that all its backends share. */
export class RunpodMemory {
  /** The last list. */
  pods: readonly Pod[] = [];
  gpuTypes: ReadonlyMap<string, GpuType> = new Map();
  /** Last messages of pods that have ended, by id; null = there are none. */
  readonly lastLines = new Map<string, string | null>();
  /** Credentials of registries that the account has, by name. */
  readonly registries = new Map<string, string>();
}
