import { truncate } from 'node:fs/promises';
import { type EventRecord, START } from '../event-cutter.ts';
import { decodeEvents, EVENT_RECORD_BYTES, encodeEvents } from '../event-records.ts';
import type { FileHandles } from './open-files.ts';
import { sizeOf } from './raw-recovery.ts';
import { writeAll } from './raw-segments.ts';

const MAX_WAITING = 4096;

/**
 * The events of one stream, in `events.idx`. The file can be rebuilt from the raw bytes, so it is
 * written late and never waited for.
 */
export class EventIndex {
  readonly #path: string;
  readonly #files: FileHandles;
  #written = 0;
  #waiting: EventRecord[] = [];

  constructor(path: string, files: FileHandles) {
    this.#path = path;
    this.#files = files;
  }

  /**
   * Opens the file, drops records that do not match the `rawLength` stored bytes, and returns the
   * last good one.
   */
  async open(rawLength: number): Promise<EventRecord> {
    const size = (await sizeOf(this.#path)) ?? 0;
    let count = Math.floor(size / EVENT_RECORD_BYTES);
    let last = START;
    while (count > 0) {
      const [before, record] =
        count > 1 ? await this.#read(count - 2, 2) : [START, ...(await this.#read(0, 1))];
      if (before && record && follows(before, record) && record.end <= rawLength) {
        last = record;
        break;
      }
      count -= 1;
    }
    if (count * EVENT_RECORD_BYTES !== size) {
      await truncate(this.#path, count * EVENT_RECORD_BYTES);
    }
    this.#written = count;
    return last;
  }

  get count(): number {
    return this.#written + this.#waiting.length;
  }

  async add(records: readonly EventRecord[]): Promise<void> {
    for (const record of records) this.#waiting.push(record);
    // A lost index is rebuilt from the raw bytes, so a full disk is not an error here.
    if (this.#waiting.length >= MAX_WAITING) await this.flush().catch(() => {});
  }

  async flush(): Promise<void> {
    const count = this.#waiting.length;
    if (count === 0) return;
    const bytes = encodeEvents(this.#waiting);
    const at = this.#written * EVENT_RECORD_BYTES;
    await this.#files.use(this.#path, true, (file) => writeAll(file, bytes, at));
    this.#waiting = this.#waiting.slice(count);
    this.#written += count;
  }

  async records(first: number, count: number): Promise<readonly EventRecord[]> {
    const fromFile = Math.max(0, Math.min(count, this.#written - first));
    const skipped = Math.max(0, first - this.#written);
    // Taken before waiting for the file: a concurrent flush moves records from memory to the file.
    const fromMemory = this.#waiting.slice(skipped, skipped + count - fromFile);
    if (fromFile === 0) return fromMemory;
    return [...(await this.#read(first, fromFile)), ...fromMemory];
  }

  async #read(first: number, count: number): Promise<EventRecord[]> {
    const bytes = Buffer.alloc(count * EVENT_RECORD_BYTES);
    const { bytesRead } = await this.#files.use(this.#path, false, (file) =>
      file.read(bytes, 0, bytes.length, first * EVENT_RECORD_BYTES),
    );
    return decodeEvents(bytes.subarray(0, bytesRead));
  }
}

function follows(before: EventRecord, record: EventRecord): boolean {
  return (
    record.end > before.end && record.time > before.time && record.totalText >= before.totalText
  );
}
