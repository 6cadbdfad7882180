import type { ListGpusResponse, Run, RunPlan, RunSpec } from '@dstack/contract/wire';
import { isUnsupported } from '../errors.ts';
import { reopening } from '../reopening.ts';
import type { Transport } from '../transport.ts';

/** Selects a run by name (the latest of that name) or by id (deleted ones too). */
export type RunReference = { readonly run_name: string } | { readonly id: string };

export interface ListRunsQuery {
  readonly project_name?: string | null;
  readonly repo_id?: string | null;
  readonly username?: string | null;
  readonly only_active?: boolean;
  readonly include_jobs?: boolean;
  /** 0..10 newest submissions of each job. */
  readonly job_submissions_limit?: number | null;
  readonly prev_submitted_at?: string | null;
  readonly prev_run_id?: string | null;
  /** 0..100. */
  readonly limit?: number;
  readonly ascending?: boolean;
  /** Ours: the members of this array of the project. */
  readonly array?: string | null;
}

export interface RunPlanRequest {
  readonly run_spec: RunSpec;
  readonly max_offers?: number | null;
  readonly full_offers?: boolean;
  readonly unallocated_resources?: boolean;
  readonly for_offers_only?: boolean;
}

export interface GpusQuery {
  readonly run_spec: RunSpec;
  readonly group_by: readonly ('backend' | 'region' | 'count')[];
  readonly full_offers?: boolean;
  readonly unallocated_resources?: boolean;
}

/** Lists runs of all projects of the caller, newest first. */
export function listRuns(transport: Transport, query: ListRunsQuery): Promise<Run[]> {
  return transport.read('/api/runs/list', query);
}

/** Calls on the runs of one project. */
export function runsOf(transport: Transport, base: string) {
  return {
    get: (run: RunReference): Promise<Run> =>
      transport.read(`${base}/runs/get`, { run_name: null, id: null, ...run }),
    getPlan: (request: RunPlanRequest): Promise<RunPlan> =>
      transport.read(`${base}/runs/get_plan`, request),
    /** Submits a run, or updates an active one; `current_resource` is the plan's. */
    apply: (plan: { run_spec: RunSpec; current_resource: Run | null }): Promise<Run> =>
      transport.write(`${base}/runs/apply`, { plan, force: false }),
    /** Returns when the request is recorded; the runs end afterwards. Unknown names are ignored. */
    stop: (names: readonly string[], abort = false): Promise<void> =>
      transport.write(`${base}/runs/stop`, { runs_names: names, abort }),
    /** Changes the rollout of a service's last update. */
    rollout: (name: string, action: 'pause' | 'resume' | 'undo'): Promise<void> =>
      transport.write(`${base}/runs/rollout`, { run_name: name, action }),
    /** Keeps waiting runs out of the queue. All or none: refused if one of them does not wait. */
    hold: (names: readonly string[]): Promise<void> =>
      transport.write(`${base}/runs/hold`, { runs_names: names }),
    /** Lets held runs into the queue. Unknown names, and runs that are not held, are refused. */
    release: (names: readonly string[]): Promise<void> =>
      transport.write(`${base}/runs/release`, { runs_names: names }),
    /** From 0 to 100; counts at once for jobs that wait. */
    setPriority: (name: string, priority: number): Promise<void> =>
      transport.write(`${base}/runs/set_priority`, { run_name: name, priority }),
    /**
     * Submits the stored configuration and code again; under another name if `name` is not null.
     * `failedOnly`: of an array, only the members that are not done.
     */
    rerun: (
      run: RunReference,
      name: string | null = null,
      { failedOnly = false }: { readonly failedOnly?: boolean } = {},
    ): Promise<Run> =>
      transport.write(`${base}/runs/rerun`, {
        ...{ run_name: null, id: null, ...run, name },
        ...(failedOnly && { failed_only: true }),
      }),
    delete: (names: readonly string[]): Promise<void> =>
      transport.write(`${base}/runs/delete`, { runs_names: names }),
    listGpus: (request: GpusQuery): Promise<ListGpusResponse> =>
      transport.read(`${base}/gpus/list`, request),
    /**
     * The run now and after every change, until the caller stops reading. A lost connection is
     * opened again. Servers without the event stream are polled every `pollMs` (1 s).
     */
    async *watch(name: string, signal: AbortSignal, pollMs = 1000): AsyncGenerator<Run, void> {
      const get = (): Promise<Run> =>
        transport.read(`${base}/runs/get`, { run_name: name, id: null }, { signal });
      const open = () => transport.events(`${base}/runs/watch`, { run_name: name }, signal);
      try {
        for await (const event of reopening(open, transport.wait, signal)) {
          if (event.event === 'run') yield JSON.parse(event.data) as Run;
        }
      } catch (error) {
        if (!isUnsupported(error)) throw error;
        for (;;) {
          yield await get();
          await transport.wait(pollMs, signal);
        }
      }
    },
  };
}
