import type { WorkerLink } from './worker-link.ts';
import { deleteRecord, isWorkerAlive, killWorker, readWorkerRecords } from './worker-records.ts';

/** Workers whose connection has closed and that may still run: they have ended, or nothing leads them any more. */
export class LostWorkers {
  readonly #dir: string;
  /** By id; resolves once one of them is ended. */
  readonly #lost = new Map<string, Promise<void>>();

  /** `dir`: of the records. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  has(id: string): boolean {
    return this.#lost.has(id);
  }

  /** Resolves once all are ended. */
  get ended(): Promise<unknown> {
    return Promise.all(this.#lost.values());
  }

  /**
   * Resolves once it has ended, so that what it has kept can be collected: it writes nothing more. One that cannot be ended
   * keeps it for the next server.
   */
  end(link: Pick<WorkerLink, 'id' | 'process'>): Promise<void> {
    const ended = this.#end(link);
    this.#lost.set(link.id, ended);
    return ended;
  }

  async #end({ id, process }: Pick<WorkerLink, 'id' | 'process'>): Promise<void> {
    await killWorker(process);
    if (isWorkerAlive(process)) return;
    this.#lost.delete(id);
    for (const record of readWorkerRecords(this.#dir)) {
      if (record.id === id) deleteRecord(this.#dir, record);
    }
  }
}
