/**
 * Gives as many nodes as possible a seat of their own: a maximum matching by augmenting paths, in
 * which earlier seats of a node's list are preferred. `seats[n]` are the seats node `n` could take,
 * best first. Nobody is moved for the sake of a seat when another is free, so nodes that are alike sit
 * in the order of their seats. Answers with the seat per node, or null where none is left.
 */
export function matchNodes<S>(seats: readonly (readonly S[])[]): (S | null)[] {
  const holder = new Map<S, number>();
  const assign = (node: number, visited: Set<S>): boolean => {
    const free = seats[node]?.find((seat) => !visited.has(seat) && !holder.has(seat));
    if (free !== undefined) {
      holder.set(free, node);
      return true;
    }
    for (const seat of seats[node] ?? []) {
      if (visited.has(seat)) continue;
      visited.add(seat);
      const current = holder.get(seat);
      if (current !== undefined && assign(current, visited)) {
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
