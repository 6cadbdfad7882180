/** Git LFS's batch API: where each object is downloaded. */
import type { Readable } from 'node:stream';
import type { LfsEndpoint } from './endpoint.ts';
import type { LfsHttp } from './lfs-http.ts';
import type { LfsObject } from './pointers.ts';

/** A token, and the only origin that may receive it. */
export interface RepoLogin {
  readonly origin: string;
  readonly header: string;
}

export interface Download {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface BatchAnswer {
  readonly message?: string;
  readonly objects?: readonly {
    readonly oid?: string;
    readonly error?: { readonly message?: string };
    readonly actions?: { readonly download?: { href?: string; header?: Record<string, string> } };
  }[];
}

/** Bytes of an answer: some 500 per object. A hostile server may send without end. */
const MOST_BYTES = 16 * 1024 * 1024;
const TYPE = 'application/vnd.git-lfs+json';

/** By the ids of the objects. Throws the server's reason if it refuses one of them. */
export async function requestDownloads(
  {
    http,
    endpoint,
    login,
  }: {
    readonly http: LfsHttp;
    readonly endpoint: LfsEndpoint;
    readonly login: RepoLogin | null;
  },
  objects: readonly LfsObject[],
): Promise<ReadonlyMap<string, Download>> {
  const url = `${endpoint.url}/objects/batch`;
  const unique = [...new Map(objects.map((object) => [object.oid, object])).values()];
  const body = { operation: 'download', transfers: ['basic'], objects: unique };
  const headers = { accept: TYPE, 'content-type': TYPE, ...endpoint.headers };
  const answer = await http.send({
    url,
    headers: withLogin(url, headers, login),
    body: JSON.stringify(body),
  });
  const parsed = parse(await boundedText(answer, new URL(url).host));
  if (answer.statusCode !== 200 || !parsed) {
    const why = parsed?.message ? `: ${plain(parsed.message)}` : '';
    throw new Error(`${new URL(url).host} answered ${answer.statusCode}${why}`);
  }
  const asked = new Set(unique.map(({ oid }) => oid));
  const downloads = new Map<string, Download>();
  for (const { oid = '', error, actions } of parsed.objects ?? []) {
    if (!asked.has(oid)) throw new Error(`${new URL(url).host} answered about an unknown file`);
    if (error) throw new Error(`the server has no file ${oid}: ${plain(error.message ?? '')}`);
    const { href, header = {} } = actions?.download ?? {};
    if (!href) continue;
    downloads.set(oid, { url: href, headers: withLogin(href, header, login) });
  }
  return downloads;
}

function withLogin(
  url: string,
  headers: Readonly<Record<string, string>>,
  login: RepoLogin | null,
): Readonly<Record<string, string>> {
  const has = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
  if (has || URL.parse(url)?.origin !== login?.origin || !login) return headers;
  return { ...headers, authorization: login.header };
}

async function boundedText(answer: Readable, host: string): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    size += piece.length;
    // Leaving the loop ends the connection.
    if (size > MOST_BYTES)
      throw new Error(`${host} sends more than ${MOST_BYTES} bytes about files`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function parse(answer: string): BatchAnswer | null {
  try {
    return JSON.parse(answer) as BatchAnswer;
  } catch {
    // A page of a proxy, or of a server without Git LFS.
    return null;
  }
}

const plain = (message: string): string => message.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 300);
