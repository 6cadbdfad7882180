/** For each status the statuses that may follow it; an empty list = final. */
export type Transitions<S extends string> = Readonly<Record<S, readonly S[]>>;

/** A change of status that its table does not allow: always a bug in the engine. */
export class IllegalTransition extends Error {
  readonly code = 'illegal_transition';

  constructor(kind: string, from: string, to: string) {
    super(`A ${kind} may not go from ${from} to ${to}`);
    this.name = 'IllegalTransition';
  }
}

export function mayFollow<S extends string>(table: Transitions<S>, from: S, to: S): boolean {
  return table[from].includes(to);
}

/** @throws IllegalTransition */
export function assertTransition<S extends string>(
  kind: string,
  table: Transitions<S>,
  from: S,
  to: S,
): void {
  if (!mayFollow(table, from, to)) throw new IllegalTransition(kind, from, to);
}
