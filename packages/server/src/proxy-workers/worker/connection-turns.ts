/** One more than the fewest, and an eighth of them: what a worker reports of closed connections comes a little late. */
const mostBeside = (fewest: number): number => fewest + 1 + Math.floor(fewest / 8);

/**
 * Which worker gets the next connection: each in turn, except those that have more than the others. One that does not
 * answer any more, and so closes none, soon has more. `counts`: the connections of each, at least one number; `last`:
 * the index of the worker that got the one before.
 */
export function nextTaker(counts: readonly number[], last: number): number {
  const most = mostBeside(Math.min(...counts));
  const order = counts.map((_, n) => (last + 1 + n) % counts.length);
  return order.find((at) => (counts[at] ?? 0) <= most) ?? 0;
}
