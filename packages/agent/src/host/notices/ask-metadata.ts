/** One request to a metadata service, which may be slow, endless or not be there at all. */
import { request } from 'node:http';

export interface MetadataCall {
  readonly url: string;
  readonly method: 'GET' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
}

export interface MetadataAnswer {
  readonly status: number;
  readonly text: string;
  /** The service's clock, in milliseconds since the epoch; null = it does not say. */
  readonly time: number | null;
}

/** For the whole answer, in milliseconds. */
const LIMIT_MS = 2000;
const LONGEST_BYTES = 16 * 1024;

/** Follows no redirect. Rejects if there is no answer in time, or a longer one than any notice is. */
export async function askMetadata(
  { url, method, headers }: MetadataCall,
  limitMs = LIMIT_MS,
): Promise<MetadataAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<MetadataAnswer>();
  // A connection of its own: none stays open to a service that may misbehave.
  const call = request(url, { method, headers, agent: false }, (answer) => {
    const chunks: Buffer[] = [];
    let length = 0;
    answer.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > LONGEST_BYTES) call.destroy(new Error(`more than ${LONGEST_BYTES} bytes`));
      else chunks.push(chunk);
    });
    answer.on('error', reject);
    answer.on('end', () => {
      const time = Date.parse(answer.headers.date ?? '');
      resolve({
        status: answer.statusCode ?? 0,
        text: Buffer.concat(chunks).toString('utf8'),
        time: Number.isNaN(time) ? null : time,
      });
    });
  });
  const late = () => call.destroy(new Error(`no whole answer within ${limitMs} ms`));
  const timer = setTimeout(late, limitMs);
  call.on('error', reject);
  call.on('close', () => {
    clearTimeout(timer);
    reject(new Error('the connection was cut off'));
  });
  call.end();
  return await promise;
}
