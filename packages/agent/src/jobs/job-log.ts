import type { FileSpoolReader } from '../spool/file-spool-reader.ts';
import type { SpoolChunk, SpoolReader } from '../spool/spool-reader.ts';

/**
 * A job's output. It exists from the job's creation, and is empty until the command starts and
 * `attach` sets its spool.
 */
export class JobLog implements SpoolReader {
  readonly #listeners = new Set<(end: number) => void>();
  readonly #ended = Promise.withResolvers<number>();
  #spool: SpoolReader | null = null;
  #finished = false;

  get end(): number {
    return this.#spool?.end ?? 0;
  }

  get start(): number {
    return this.#spool?.start ?? 0;
  }

  /** Whether the output is complete. Followers are called once more when this becomes true. */
  get finished(): boolean {
    return this.#finished;
  }

  get ended(): Promise<number> {
    return this.#ended.promise;
  }

  async read(offset: number, max: number): Promise<SpoolChunk | null> {
    return (await this.#spool?.read(offset, max)) ?? null;
  }

  follow(listener: (end: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  attach(spool: SpoolReader): void {
    this.#spool = spool;
    spool.follow((end) => this.#notify(end));
    if (spool.end > 0) this.#notify(spool.end);
  }

  /**
   * Marks the output as complete. `left` reads the output that an ended job has left on the disk.
   */
  finish(left: FileSpoolReader): void {
    if (!this.#spool) {
      left.finish();
      this.attach(left);
    }
    this.#finished = true;
    this.#ended.resolve(this.end);
    this.#notify(this.end);
  }

  #notify(end: number): void {
    for (const listener of this.#listeners) listener(end);
  }
}
