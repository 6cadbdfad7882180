import { createHash } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { JobSpecForAgent, PutJobAnswer } from '@dstack/contract/agent';
import type { JobFolder } from '../executor/job-folder.ts';
import { AgentError } from './agent-error.ts';

/** The uploads that the job still waits for. */
export function missingUploads(spec: JobSpecForAgent, folder: JobFolder): PutJobAnswer['missing'] {
  const archives = spec.file_archives.filter(({ id }) => !existsSync(folder.archive(id)));
  const code = spec.repo?.code_sha256 != null && !existsSync(folder.code);
  return { archives: archives.map(({ id }) => id), code };
}

/**
 * Streams an upload to `path`, where it appears only complete and with the right hash. Throws
 * `AgentError` `hash_mismatch`. Simultaneous uploads to one path do not disturb each other.
 */
export async function saveUpload(body: Readable, path: string, sha256: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.hrtime.bigint()}.part`;
  const hash = createHash('sha256');
  try {
    await pipeline(
      body,
      async function* (source: AsyncIterable<Buffer>) {
        for await (const piece of source) {
          hash.update(piece);
          yield piece;
        }
      },
      createWriteStream(temporary, { mode: 0o600 }),
    );
    const found = hash.digest('hex');
    if (found !== sha256) {
      throw new AgentError(400, 'hash_mismatch', `Expected SHA-256 ${sha256}, received ${found}`);
    }
    const file = await open(temporary, 'r');
    await file.sync().finally(() => file.close());
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}
