/** The server's limit for one upload: compared before the user is asked, and explained once. */
import type { Connection } from '../context.ts';
import { CliError } from '../errors.ts';

/** Bytes that a command is going to send. */
export interface Upload {
  /** A path of this computer. */
  readonly what: string;
  /** SHA-256 in hex. */
  readonly hash: string;
  /** Bytes. */
  readonly length: number;
  /** Largest first; empty if the upload does not consist of files. */
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** Throws if the server would refuse one of the uploads. Servers that report no limit refuse it later. */
export async function requireAccepted(
  uploads: readonly Upload[],
  { client }: Pick<Connection, 'client'>,
): Promise<void> {
  if (uploads.length === 0) return;
  const { isUnsupported, uploadSize } = await import('@dstack/client');
  const limit = await client.server.info().then(
    (info) => info.upload_limit ?? 0,
    (error) => {
      if (isUnsupported(error)) return 0;
      throw error;
    },
  );
  if (limit === 0) return;
  for (const upload of uploads) {
    const size = uploadSize(upload.hash, upload.length);
    if (size > limit) {
      throw tooLarge(
        upload,
        `The upload of ${upload.what} has ${size} bytes, the server accepts ${limit}`,
      );
    }
  }
}

/** The refusal of a server that reports no limit. Its text contains advice, which is given once. */
export async function withoutAdvice<T>(upload: Upload, send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    const { BadRequestError } = await import('@dstack/client');
    if (!(error instanceof BadRequestError) || !IS_TOO_LARGE.test(error.message)) throw error;
    const [what = error.message] = error.message.split(/\.(?:\s|$)/);
    throw tooLarge(upload, what, error);
  }
}

const IS_TOO_LARGE = /DSTACK_SERVER_CODE_UPLOAD_LIMIT|too large|exceed/i;

const SHOWN_FILES = 3;

function tooLarge({ what, files }: Upload, message: string, cause?: unknown): CliError {
  const largest = files
    .slice(0, SHOWN_FILES)
    .map(({ path, size }) => `${path} (${(size / 1024 / 1024).toFixed(1)} MB)`);
  const isArchive = files.length > 0;
  return new CliError(message, {
    why: isArchive
      ? `largest files in ${what}: ${largest.join(', ')}`
      : `the local changes of ${what} are sent with the run`,
    next: isArchive
      ? 'leave files out with a .dstackignore file, or raise DSTACK_SERVER_CODE_UPLOAD_LIMIT on the server'
      : 'commit and push large files, list them in .gitignore, or raise DSTACK_SERVER_CODE_UPLOAD_LIMIT on the server',
    cause,
  });
}
