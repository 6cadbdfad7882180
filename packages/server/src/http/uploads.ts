/** Uploads: multipart with one part `file`, whose file name is the hash the client computed. */
import { createHash } from 'node:crypto';
import { ApiError, missingDetail, ruleError } from '@dstack/contract/api';
import type { FastifyRequest } from 'fastify';
import { UnprocessableError } from './request-body.ts';

export interface UploadedFile {
  /** As the client named it. */
  readonly hash: string;
  /** Of the bytes, in hex: the key under which they are kept. */
  readonly sha256: string;
  readonly bytes: Buffer;
}

/** Reads the upload of a request. `limit`: bytes of the whole body, 0 = none. */
export async function readUpload(request: FastifyRequest, limit: number): Promise<UploadedFile> {
  const length = Number(request.headers['content-length'] ?? 0);
  if (limit > 0 && length > limit) throw tooLarge(length, limit);
  if (!request.isMultipart()) throw new UnprocessableError([missingDetail('body', 'file')]);
  try {
    return await readParts(request, limit);
  } catch (error) {
    if (error instanceof ApiError || error instanceof UnprocessableError) throw error;
    // Busboy's own words about a frame that is torn or lacks its boundary.
    throw ruleError(`The upload is no multipart/form-data: ${(error as Error).message}`);
  }
}

async function readParts(request: FastifyRequest, limit: number): Promise<UploadedFile> {
  const fileSize = limit > 0 ? limit : Number.MAX_SAFE_INTEGER;
  const part = await request.file({ limits: { files: 1, fileSize }, throwFileSizeLimit: false });
  if (part === undefined || part.fieldname !== 'file') {
    throw new UnprocessableError([missingDetail('body', 'file')]);
  }
  if (part.filename.includes('\0')) {
    throw ruleError('The character U+0000 is allowed in no name of a file');
  }
  const chunks: Buffer[] = [];
  const hash = createHash('sha256');
  for await (const chunk of part.file) {
    hash.update(chunk);
    chunks.push(chunk);
  }
  // A body without a stated length is cut at the limit.
  if (part.file.truncated) throw tooLarge(part.file.bytesRead, limit);
  return { hash: part.filename, sha256: hash.digest('hex'), bytes: Buffer.concat(chunks) };
}

function tooLarge(size: number, limit: number) {
  return ruleError(
    `The upload has ${size} bytes, the server accepts ${limit}. Leave files out with .gitignore or .dstackignore, or set DSTACK_SERVER_CODE_UPLOAD_LIMIT on the server (0 = no limit).`,
  );
}
