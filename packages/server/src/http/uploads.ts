/** Uploads: multipart with one part `file`, whose file name is the SHA-256 of its content. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { ApiError, missingDetail, ruleError } from '@dstack/contract/api';
import { type BodyPace, RefusedBody, receive, UnprocessableError } from '@dstack/proxy';
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import type { BlobDraft, DraftedBlobs } from '../blobs/drafts.ts';

/** An upload that is stored as a blob under its hash. */
export interface UploadedFile {
  /** SHA-256 in hex; the client's name and the content agree. */
  readonly hash: string;
  readonly size: number;
}

export interface UploadRules {
  /** Bytes of the whole body, the multipart frame included; 0 = no limit. */
  readonly limit: number;
  readonly pace: BodyPace;
  readonly blobs: Pick<DraftedBlobs, 'draft'>;
  /** Reserves memory for a blob that must be kept in memory. */
  readonly reserve: (bytes: number) => void;
}

const HASH = /^[0-9a-f]{64}$/;

/** Limits of the multipart frame: one file with a name and a hash. */
const FRAME = {
  files: 1,
  fields: 0,
  parts: 1,
  headerPairs: 8,
  headerSize: 2048,
  fieldNameSize: 64,
};

/** Bytes passed to the parser at a time: it cannot be stopped within a piece. */
const STEP = 16 * 1024;

/** Reads and stores the upload of a request. Nothing is stored if its name is not its hash. */
export async function readUpload(
  request: IncomingMessage,
  rules: UploadRules,
): Promise<UploadedFile> {
  if (!/^multipart\/form-data\b/i.test(request.headers['content-type'] ?? '')) {
    throw new UnprocessableError([missingDetail('body', 'file')]);
  }
  const draft = await rules.blobs.draft(rules.reserve);
  try {
    const file = await readParts(request, rules, draft);
    await draft.keep(file.hash);
    return file;
  } catch (error) {
    throw uploadError(error, rules.limit);
  } finally {
    await draft.discard();
  }
}

async function readParts(
  request: IncomingMessage,
  { limit, pace }: UploadRules,
  draft: BlobDraft,
): Promise<UploadedFile> {
  const form = parser(request);
  const failed = Promise.withResolvers<never>();
  // The rejection is observed below; it must not count as unhandled before that.
  failed.promise.catch(() => {});
  let file: Promise<UploadedFile> | null = null;
  form.on('file', (name: string | undefined, content, filename) => {
    file = name === 'file' ? store(content, filename ?? '', draft) : refusePart(content);
    file.catch(failed.reject);
  });
  form.on('error', failed.reject);
  for (const excess of ['partsLimit', 'fieldsLimit', 'filesLimit'] as const) {
    form.on(excess, () => failed.reject(tooManyParts(excess)));
  }
  const write = (piece: Buffer) =>
    Promise.race([failed.promise, new Promise<void>((done) => form.write(piece, () => done()))]);
  try {
    const rules = { limit: limit > 0 ? limit : Number.POSITIVE_INFINITY, pace };
    await receive(request, rules, async (piece) => {
      for (let at = 0; at < piece.length; at += STEP) await write(piece.subarray(at, at + STEP));
    });
    const finished = new Promise<void>((done) => form.once('finish', done));
    form.end();
    await Promise.race([failed.promise, finished]);
    if (file === null) throw new UnprocessableError([missingDetail('body', 'file')]);
    return await (file as Promise<UploadedFile>);
  } finally {
    form.destroy();
  }
}

/** Throws an error of the parser if the content type has no boundary. */
function parser({ headers }: IncomingMessage): BusboyInstance {
  return new Busboy({
    headers: { ...headers, 'content-type': headers['content-type'] ?? '' },
    limits: FRAME,
    preservePath: true,
  });
}

/** Writes the content to the draft and compares its hash with its name. */
async function store(
  content: BusboyFileStream,
  name: string,
  draft: BlobDraft,
): Promise<UploadedFile> {
  if (!HASH.test(name)) {
    content.resume();
    throw ruleError(
      'The file name of the upload must be the SHA-256 of its content, 64 hexadecimal digits in lower case',
    );
  }
  const hash = createHash('sha256');
  let size = 0;
  await pipeline(content, async (pieces: AsyncIterable<Buffer>) => {
    for await (const piece of pieces) {
      hash.update(piece);
      size += piece.length;
      await draft.write(piece);
    }
  });
  const actual = hash.digest('hex');
  if (actual === name) return { hash: actual, size };
  throw ruleError(
    `The content of the upload does not match its name: it is named ${name} and has the SHA-256 ${actual}. Nothing was stored; upload it again`,
  );
}

function refusePart(content: BusboyFileStream): Promise<never> {
  content.resume();
  return Promise.reject(new UnprocessableError([missingDetail('body', 'file')]));
}

function tooManyParts(excess: 'partsLimit' | 'fieldsLimit' | 'filesLimit'): Error {
  // The only part is a field without a file name.
  if (excess === 'fieldsLimit') return new UnprocessableError([missingDetail('body', 'file')]);
  return ruleError('The upload has more than one part: send one that is named `file`');
}

function uploadError(error: unknown, limit: number): unknown {
  if (error instanceof RefusedBody && error.refusal.kind === 'too-large') {
    return tooLarge(error.refusal.stated, limit);
  }
  const isKnown =
    error instanceof ApiError ||
    error instanceof UnprocessableError ||
    error instanceof RefusedBody;
  // Other errors with a code come from the disk, not from the multipart parser.
  if (isKnown || !(error instanceof Error) || 'code' in error) return error;
  return ruleError(`The upload is not valid multipart/form-data: ${error.message}`);
}

function tooLarge(stated: number | null, limit: number) {
  const size = stated === null ? `more than ${limit} bytes` : `${stated} bytes`;
  return ruleError(
    `The upload has ${size}, the server accepts ${limit}. Leave files out with .gitignore or .dstackignore, or set DSTACK_SERVER_CODE_UPLOAD_LIMIT on the server (0 = no limit).`,
  );
}
