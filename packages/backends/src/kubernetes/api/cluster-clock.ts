/** The time of a cluster, by the `Date` of its API's answers: the age of its objects is measured by it. */
export class ClusterClock {
  /** How far the cluster is ahead of the monotonic clock (ms); null: not known. */
  #ahead: number | null = null;

  /** `date`: the header of an answer that has just arrived. */
  read(date: string | undefined): void {
    const time = Date.parse(date ?? '');
    if (Number.isFinite(time)) this.#ahead = time - performance.now();
  }

  /** Milliseconds since the epoch; of this host while no answer of the cluster has had a time. */
  now(): number {
    return this.#ahead === null ? Date.now() : performance.now() + this.#ahead;
  }
}
