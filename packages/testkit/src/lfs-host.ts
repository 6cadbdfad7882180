import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A server of Git LFS: the batch API with the transfer `basic`, for downloads only. */
export interface LfsHost {
  /** The endpoint: `lfs.url` of a repo. */
  readonly url: string;
  /** Every request, with the credentials that came with it. */
  readonly requests: readonly LfsHostRequest[];
  /** Where answers send clients for files; null: to this server. */
  redirectFiles: string | null;
  /** Keeps a file, and returns its pointer. */
  put(content: string): string;
  /** Replaces the content of a file behind its pointer. */
  spoil(pointer: string, content: string): void;
  close(): void;
}

export interface LfsHostRequest {
  readonly path: string;
  readonly authorization: string | null;
}

const TYPE = 'application/vnd.git-lfs+json';
const oidOf = (pointer: string): string => /sha256:([0-9a-f]{64})/.exec(pointer)?.[1] ?? '';

export async function startLfsHost(address = '127.0.0.1'): Promise<LfsHost> {
  const files = new Map<string, string>();
  const requests: LfsHostRequest[] = [];
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, address);
  await once(server, 'listening');
  const url = `http://${address}:${(server.address() as AddressInfo).port}`;
  const host: LfsHost = {
    url,
    requests,
    redirectFiles: null,
    put(content) {
      const oid = createHash('sha256').update(content).digest('hex');
      files.set(oid, content);
      const size = Buffer.byteLength(content);
      return `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${size}\n`;
    },
    spoil: (pointer, content) => void files.set(oidOf(pointer), content),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    requests.push({ path, authorization: request.headers.authorization ?? null });
    if (path.endsWith('/objects/batch')) {
      const { objects } = JSON.parse(await text(request)) as { objects: { oid: string }[] };
      response.setHeader('content-type', TYPE);
      response.end(JSON.stringify({ objects: objects.map(({ oid }) => objectOf(oid)) }));
      return;
    }
    const content = files.get(path.slice(path.lastIndexOf('/') + 1));
    response.writeHead(content === undefined ? 404 : 200).end(content);
  }
  function objectOf(oid: string) {
    if (!files.has(oid)) return { oid, error: { code: 404, message: 'Object does not exist' } };
    return { oid, actions: { download: { href: `${host.redirectFiles ?? url}/files/${oid}` } } };
  }
  return host;
}
