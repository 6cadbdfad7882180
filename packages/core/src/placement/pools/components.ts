/** Pools: the projects and fleets that are connected by the right to use. */
import type { Id } from '../../model/index.ts';

/** Who may use what: a fleet of its own, an imported one, or the server's machine. */
export interface Uses {
  readonly projects: readonly Id[];
  readonly fleets: readonly Id[];
  readonly uses: readonly { readonly projectId: Id; readonly fleetId: Id }[];
  /** For the machine of each server: the projects whose jobs may run there, which share it. */
  readonly onServerHosts: readonly (readonly Id[])[];
}

export interface Pool {
  readonly projects: readonly Id[];
  readonly fleets: readonly Id[];
}

/**
 * The connected components. Each project and each fleet is in exactly one; a use that names an unknown
 * project or fleet connects nothing.
 */
export function poolsOf({ projects, fleets, uses, onServerHosts }: Uses): Pool[] {
  const sets = new Sets();
  for (const id of projects) sets.add(projectNode(id));
  for (const id of fleets) sets.add(fleetNode(id));
  for (const { projectId, fleetId } of uses) sets.join(projectNode(projectId), fleetNode(fleetId));
  const known = new Set(projects);
  for (const sharers of onServerHosts) {
    const [first, ...others] = sharers.filter((id) => known.has(id));
    for (const id of others) sets.join(projectNode(first ?? ''), projectNode(id));
  }
  const pools = new Map<string, { projects: Id[]; fleets: Id[] }>();
  const poolOf = (node: string) => {
    const root = sets.root(node);
    const found = pools.get(root);
    if (found) return found;
    const pool = { projects: [], fleets: [] };
    pools.set(root, pool);
    return pool;
  };
  for (const id of projects) poolOf(projectNode(id)).projects.push(id);
  for (const id of fleets) poolOf(fleetNode(id)).fleets.push(id);
  return [...pools.values()];
}

const projectNode = (id: Id): string => `project ${id}`;
const fleetNode = (id: Id): string => `fleet ${id}`;

/** Disjoint sets that can be joined. */
class Sets {
  readonly #parents = new Map<string, string>();

  add(node: string): void {
    if (!this.#parents.has(node)) this.#parents.set(node, node);
  }

  join(a: string, b: string): void {
    if (!this.#parents.has(a) || !this.#parents.has(b)) return;
    this.#parents.set(this.root(a), this.root(b));
  }

  root(node: string): string {
    let root = node;
    for (let up = this.#parents.get(root); up !== undefined && up !== root; ) {
      root = up;
      up = this.#parents.get(root);
    }
    this.#parents.set(node, root);
    return root;
  }
}
