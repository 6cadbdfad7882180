import type { Fleet, FleetJob, FleetPlan, FleetSpec } from '@dstack/contract/wire';
import type { Transport } from '../transport.ts';

export type FleetReference = { readonly name: string } | { readonly id: string };

/** Calls on the fleets of one project. */
export function fleetsOf(transport: Transport, base: string) {
  return {
    list: (query: { include_imported?: boolean } = {}): Promise<Fleet[]> =>
      transport.read(`${base}/fleets/list`, { include_imported: true, ...query }),
    get: (fleet: FleetReference): Promise<Fleet> =>
      transport.read(`${base}/fleets/get`, { name: null, id: null, ...fleet }),
    /** Jobs on the instances of a fleet of this project. Servers of dstack 0.22.5 have no such call. */
    listJobs: (name: string): Promise<FleetJob[]> =>
      transport.get(`${base}/fleets/${encodeURIComponent(name)}/jobs`, {}),
    getPlan: (spec: FleetSpec): Promise<FleetPlan> =>
      transport.read(`${base}/fleets/get_plan`, { spec }),
    apply: (plan: { spec: FleetSpec; current_resource: Fleet | null }): Promise<Fleet> =>
      transport.write(`${base}/fleets/apply`, { plan, force: false }),
    /** Returns when the request is recorded; the fleet is deleted once its instances have ended. */
    delete: (names: readonly string[]): Promise<void> =>
      transport.write(`${base}/fleets/delete`, { names }),
    deleteInstances: (name: string, instanceNums: readonly number[]): Promise<void> =>
      transport.write(`${base}/fleets/delete_instances`, { name, instance_nums: instanceNums }),
  };
}
