import type { JobSpec, RunSpec } from '@dstack/contract/wire';
import { buildJobSpecs, DRY_RUN_NAME } from '../job-spec/build.ts';
import type { ImageConfig, JobSpecSettings } from '../job-spec/settings.ts';
import type {
  BackendName,
  EngineSettings,
  FleetRecord,
  Id,
  InstanceRecord,
  MountableVolume,
  Offer,
  QuotaState,
  ServerHostUse,
  Timestamp,
} from '../model/index.ts';
import { replicaGroups } from '../run-spec/size-of.ts';

/** The complete input of a plan; nothing in it waits for a place. */
export interface PlanInput {
  readonly now: Timestamp;
  readonly projectId: Id;
  readonly projectName: string;
  readonly projectNames: Readonly<Record<Id, string>>;
  /** Own and imported fleets and their instances, not deleted. */
  readonly fleets: readonly FleetRecord[];
  readonly instances: readonly InstanceRecord[];
  readonly serverHosts: readonly ServerHostUse[];
  /** Volumes of the project, not deleted. */
  readonly volumes: readonly MountableVolume[];
  /** The quotas of the project; omitted = it has none. */
  readonly quotas?: readonly QuotaState[];
  /** Who would submit the run; omitted = only quotas of the whole project hold. */
  readonly userId?: Id;
  /** Backends that show offers but cannot create machines. */
  readonly offersOnly: ReadonlySet<BackendName>;
  /** See `CapacityHints`. */
  readonly hasServerHost?: boolean;
  /** The effective spec. */
  readonly spec: RunSpec;
  /** See `planJobSpecs`. */
  readonly jobSpecs: readonly JobSpec[];
  /** Fleet of the active run with the same name: an update stays in it. */
  readonly runFleetId?: Id | null;
  readonly options?: PlanOptions;
  readonly settings: Pick<EngineSettings, 'localMaxInstances'>;
  /**
   * Offers of the project's backends, whatever the run requests; used only to explain what is
   * missing.
   */
  readonly known?: readonly Offer[];
}

/** Options as clients send them. */
export interface PlanOptions {
  readonly maxOffers?: number | null;
  readonly reverseOffers?: boolean;
  /** Existing instances whole, not cut to what the run would get. */
  readonly fullOffers?: boolean;
  /** With `fullOffers`: less the blocks in use. */
  readonly unallocatedResources?: boolean;
  /** Search all offers instead of choosing a fleet. */
  readonly forOffersOnly?: boolean;
  /** Identical nodes of a cluster are one offer. */
  readonly groupNodes?: boolean;
}

export interface PlanSpecsContext {
  /**
   * The configuration of the user's own image, as far as it is known (for a service, by group
   * name).
   */
  readonly imageConfig?: (replicaGroup: string) => ImageConfig | null;
  readonly settings?: JobSpecSettings;
}

/** Job specs as a plan shows them: replica 0 of every group, one group after another. */
export function planJobSpecs(
  spec: RunSpec,
  context: PlanSpecsContext = {},
): ReturnType<typeof buildJobSpecs> {
  const jobSpecs: JobSpec[] = [];
  for (const replicaGroup of replicaGroups(spec)) {
    const built = buildJobSpecs(spec, {
      runName: spec.run_name ?? DRY_RUN_NAME,
      replicaNum: 0,
      replicaGroup,
      imageConfig: context.imageConfig?.(replicaGroup) ?? null,
      settings: context.settings,
    });
    if (!built.ok) return built;
    jobSpecs.push(...built.jobSpecs);
  }
  return { ok: true, jobSpecs };
}
