import { stat, truncate } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { decodeMarks, encodeMarks, RAW_MARK_BYTES, type RawMark } from '../raw-marks.ts';
import type { FileHandles } from './open-files.ts';

/**
 * Number of bytes at the end of a segment that are compared with its index: far more than is ever
 * unsynced.
 */
const WINDOW_MARKS = 2048;
const WINDOW_BYTES = 4 * 1024 * 1024;

export interface SegmentPaths {
  readonly raw: string;
  readonly index: string;
}

/**
 * Repairs the last segment of a stream after a crash and returns its size. Bytes after the last
 * good mark were never acknowledged, so they are cut off and will be sent again. A segment whose
 * index was removed is kept unchanged and gets a new one.
 */
export async function recoverSegment(
  files: FileHandles,
  paths: SegmentPaths,
  start: number,
): Promise<number> {
  const info = await stat(paths.raw);
  const indexSize = await sizeOf(paths.index);
  if (indexSize === null) {
    await rebuildIndex(files, paths, start, info.size, Math.round(info.mtimeMs * 1000));
    return info.size;
  }
  const count = Math.floor(indexSize / RAW_MARK_BYTES);
  const first = Math.max(0, count - WINDOW_MARKS - 1);
  const marks = await readMarks(files, paths.index, first, count - first);
  const good = await countGood(files, paths.raw, start, info.size, first, marks);
  const size = good === 0 && first === 0 ? 0 : (marks[good - 1]?.end ?? start) - start;
  if ((first + good) * RAW_MARK_BYTES !== indexSize) {
    await truncate(paths.index, (first + good) * RAW_MARK_BYTES);
  }
  if (size !== info.size) await truncate(paths.raw, size);
  return size;
}

/** Number of marks, from the first on, that are consistent with each other and with the bytes. */
async function countGood(
  files: FileHandles,
  raw: string,
  start: number,
  size: number,
  first: number,
  marks: readonly RawMark[],
): Promise<number> {
  // If there are older marks, the first one read only marks where the second begins.
  let end = first === 0 ? start : (marks[0]?.end ?? start);
  const newest = marks.at(-1)?.end ?? end;
  let good = first === 0 ? 0 : 1;
  for (const mark of marks.slice(good)) {
    if (mark.end - mark.length !== end || mark.end - start > size) break;
    if (newest - mark.end < WINDOW_BYTES) {
      const bytes = Buffer.alloc(mark.length);
      await files.use(raw, false, (file) => file.read(bytes, 0, bytes.length, end - start));
      if (crc32(bytes) !== mark.crc) break;
    }
    end = mark.end;
    good += 1;
  }
  return good;
}

async function rebuildIndex(
  files: FileHandles,
  paths: SegmentPaths,
  start: number,
  size: number,
  time: number,
): Promise<void> {
  const step = 64 * 1024;
  const marks: RawMark[] = [];
  const block = Buffer.alloc(step);
  for (let at = 0; at < size; at += step) {
    const length = Math.min(step, size - at);
    await files.use(paths.raw, false, (file) => file.read(block, 0, length, at));
    marks.push({
      end: start + at + length,
      length,
      time,
      crc: crc32(block.subarray(0, length)),
    });
  }
  const bytes = encodeMarks(marks);
  await files.use(paths.index, true, (file) => file.write(bytes, 0, bytes.length, 0));
}

export async function readMarks(
  files: FileHandles,
  index: string,
  first: number,
  count: number,
): Promise<RawMark[]> {
  if (count <= 0) return [];
  const bytes = Buffer.alloc(count * RAW_MARK_BYTES);
  const { bytesRead } = await files.use(index, false, (file) =>
    file.read(bytes, 0, bytes.length, first * RAW_MARK_BYTES),
  );
  return decodeMarks(bytes.subarray(0, bytesRead));
}

export async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
