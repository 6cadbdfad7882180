import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { access, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Blobs } from '@dstack/store';

/** Uploaded archives and diffs by SHA-256 of their bytes. */
export interface BlobStore {
  /** Stores what the stream brings. Throws `BlobTooLarge` beyond `limit` bytes (0 = no limit). */
  write(
    content: Readable,
    limit: number,
  ): Promise<{ readonly sha256: string; readonly size: number }>;
  read(sha256: string): Promise<Readable | null>;
}

export class BlobTooLarge extends Error {
  override name = 'BlobTooLarge';
}

/** Counts and hashes what flows through, and stops it at the limit. */
class Meter extends Transform {
  readonly hash = createHash('sha256');
  readonly limit: number;
  size = 0;

  constructor(limit: number) {
    super();
    this.limit = limit;
  }

  override _transform(
    chunk: Buffer,
    _: string,
    done: (error: Error | null, data?: Buffer) => void,
  ) {
    this.size += chunk.length;
    if (this.limit > 0 && this.size > this.limit) {
      done(new BlobTooLarge(`larger than ${this.limit} bytes`));
      return;
    }
    this.hash.update(chunk);
    done(null, chunk);
  }
}

/** One file per blob; a blob appears under its name only when it is whole and on disk. */
export function fileBlobs(dir: string): BlobStore {
  const pathOf = (sha256: string) => join(dir, sha256.slice(0, 2), sha256);
  return {
    async write(content, limit) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const part = join(dir, `.part-${randomUUID()}`);
      const meter = new Meter(limit);
      try {
        await pipeline(content, meter, createWriteStream(part, { mode: 0o600 }));
        const file = await open(part, 'r');
        await file.sync();
        await file.close();
        const sha256 = meter.hash.digest('hex');
        await mkdir(join(dir, sha256.slice(0, 2)), { recursive: true, mode: 0o700 });
        await rename(part, pathOf(sha256));
        return { sha256, size: meter.size };
      } catch (error) {
        await rm(part, { force: true });
        throw error;
      }
    },
    async read(sha256) {
      try {
        await access(pathOf(sha256));
        return createReadStream(pathOf(sha256));
      } catch {
        // Not there: the caller knows what that means to its user.
        return null;
      }
    },
  };
}

/** In the database, for servers that share one. */
export function tableBlobs(blobs: Blobs): BlobStore {
  return {
    async write(content, limit) {
      const meter = new Meter(limit);
      const chunks: Buffer[] = [];
      await pipeline(content, meter, async (source) => {
        for await (const chunk of source) chunks.push(chunk as Buffer);
      });
      const sha256 = meter.hash.digest('hex');
      await blobs.put(sha256, Buffer.concat(chunks));
      return { sha256, size: meter.size };
    },
    async read(sha256) {
      const bytes = await blobs.get(sha256);
      return bytes && Readable.from([bytes]);
    },
  };
}
