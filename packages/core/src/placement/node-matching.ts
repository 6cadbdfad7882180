/**
 * Gives as many nodes as possible a seat of their own: a maximum matching by augmenting paths, in
 * which earlier seats of a node's list are preferred. `seats[n]` are the seats node `n` could take,
 * best first. Answers with the seat per node, or null where none is left.
 */
export function matchNodes<S>(seats: readonly (readonly S[])[]): (S | null)[] {
  const holder = new Map<S, number>();
  const assign = (node: number, visited: Set<S>): boolean => {
    for (const seat of seats[node] ?? []) {
      if (visited.has(seat)) continue;
      visited.add(seat);
      const current = holder.get(seat);
      if (current === undefined || assign(current, visited)) {
        holder.set(seat, node);
        return true;
      }
    }
    return false;
  };
  for (const node of seats.keys()) assign(node, new Set());
  const result: (S | null)[] = seats.map(() => null);
  for (const [seat, node] of holder) result[node] = seat;
  return result;
}
