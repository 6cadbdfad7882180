import { randomUUID } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';

/** Bytes of a body in memory; a larger one is in a file. */
const IN_MEMORY = 256 * 1024;

/** Bytes read at a time. */
const STEP = 256 * 1024;

/**
 * A body that can be sent more than once. The file has no name from the start, so that nothing is left
 * of it after a crash.
 */
export class SpooledBody {
  readonly #dir: string;
  /** Called before bytes are kept in memory. */
  readonly #reserve: (bytes: number) => void;
  /** Called before bytes are written to the file. */
  readonly #reserveDisk: (bytes: number) => Promise<void>;
  readonly #pieces: Buffer[] = [];
  #file: FileHandle | null = null;
  #size = 0;
  /** Bytes to insert at an offset. */
  #inserted: { readonly at: number; readonly text: Buffer } | null = null;

  constructor(
    dir: string,
    reserve: (bytes: number) => void = () => {},
    reserveDisk: (bytes: number) => Promise<void> = async () => {},
  ) {
    this.#dir = dir;
    this.#reserve = reserve;
    this.#reserveDisk = reserveDisk;
  }

  get size(): number {
    return this.#size + (this.#inserted?.text.length ?? 0);
  }

  /** One call at a time. */
  async write(piece: Buffer): Promise<void> {
    if (this.#file === null && this.#size + piece.length <= IN_MEMORY) {
      this.#reserve(piece.length);
      this.#pieces.push(piece);
    } else {
      const inMemory = this.#file === null ? this.#size : 0;
      await this.#reserveDisk(inMemory + piece.length);
      this.#file ??= await this.#moveToFile();
      await writeAll(this.#file, piece);
    }
    this.#size += piece.length;
  }

  insert(at: number, text: string): void {
    this.#inserted = { at, text: Buffer.from(text) };
  }

  /** The whole body from its start; independent of other readers. */
  read(): Readable {
    return Readable.from(this.#parts(), { objectMode: false });
  }

  async bytes(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.#parts()) parts.push(part);
    return Buffer.concat(parts);
  }

  async dispose(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    this.#pieces.length = 0;
    await file?.close();
  }

  async #moveToFile(): Promise<FileHandle> {
    const path = join(this.#dir, `.body-${randomUUID()}`);
    const file = await open(path, 'wx+', 0o600);
    try {
      await unlink(path);
      for (const piece of this.#pieces) await writeAll(file, piece);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#pieces.length = 0;
    return file;
  }

  async *#parts(): AsyncIterable<Buffer> {
    const inserted = this.#inserted;
    let offset = 0;
    for await (const part of this.#stored()) {
      const at = (inserted?.at ?? -1) - offset;
      offset += part.length;
      if (inserted === null || at < 0 || at >= part.length) {
        yield part;
        continue;
      }
      if (at > 0) yield part.subarray(0, at);
      yield inserted.text;
      yield part.subarray(at);
    }
  }

  async *#stored(): AsyncIterable<Buffer> {
    if (this.#file === null) {
      yield* this.#pieces;
      return;
    }
    for (let at = 0; at < this.#size; ) {
      const buffer = Buffer.allocUnsafe(Math.min(STEP, this.#size - at));
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw new Error('the file of a request is shorter than written');
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  }
}

/** A disk that becomes full takes only a part of a write, without an error. */
async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at);
    at += bytesWritten;
  }
}
