import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Arch } from './libraries.ts';
import { DIGITS, type Program } from './program.ts';

/** Bytes of the binary in one member of the gzip file. */
const MEMBER = 8 * 1024 * 1024;
/** Members compressed at a time: libuv's pool has four threads, and one stays free for the server. */
const AT_A_TIME = 3;

/** Compresses Node once, and removes the copies of earlier versions of the server. */
export async function compressedNode(
  arch: Arch,
  binary: string,
  cacheDir: string,
): Promise<Program> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(binary, { highWaterMark: MEMBER }), hash);
  const digits = hash.digest('hex').slice(0, DIGITS);
  const file = `node-${arch}-${digits}.gz`;
  const path = join(cacheDir, file);
  if (!existsSync(path)) {
    await mkdir(cacheDir, { recursive: true, mode: 0o700 });
    const part = `${path}.${process.pid}`;
    try {
      await pipeline(inMembers(binary), createWriteStream(part));
      await rename(part, path);
    } finally {
      await rm(part, { force: true });
    }
    await removeOthers(arch, file, cacheDir);
  }
  const [{ size }, { size: unpacked }] = await Promise.all([stat(path), stat(binary)]);
  return { name: `node-${digits}`, size, unpacked, open: () => createReadStream(path) };
}

/** Members are compressed in parallel, and `gunzip` joins them: a first host waits for this. */
function inMembers(path: string): Readable {
  return createReadStream(path, { highWaterMark: MEMBER }).map(
    (piece: Buffer) => promisify(gzip)(piece, { level: 4 }),
    { concurrency: Math.min(availableParallelism(), AT_A_TIME) },
  );
}

/**
 * Also files that killed servers have begun. A present reader reads its open file to the end, and
 * no second server writes here: a data directory belongs to one server.
 */
async function removeOthers(arch: Arch, file: string, cacheDir: string): Promise<void> {
  const ours = new RegExp(`^node-(${arch}-)?[0-9a-f]{${DIGITS}}\\.gz(\\.\\d+)?$`);
  for (const name of await readdir(cacheDir)) {
    if (name !== file && ours.test(name)) await rm(join(cacheDir, name), { force: true });
  }
}
