/** One server on the bridge answers machines at 169.254.169.254. It knows them by their addresses. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MetadataAnswer, MetadataSource } from '../hosts.ts';

export interface MetadataServer {
  readonly port: number;
  /** Null: the machine's provider has no metadata. */
  set(address: string, source: MetadataSource | null): void;
  delete(address: string): void;
  close(): Promise<void>;
}

const NOTHING: MetadataAnswer = { status: 404, body: 'not found' };

export async function startMetadata(host: string): Promise<MetadataServer> {
  const sources = new Map<string, MetadataSource | null>();
  const server = createServer((request, response) => {
    const source = sources.get(request.socket.remoteAddress ?? '');
    const { method = 'GET', url = '/', headers } = request;
    const { status, body } = source?.({ method, path: url, headers }) ?? NOTHING;
    response.writeHead(status, { 'content-type': 'text/plain' }).end(body);
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    set: (address, source) => void sources.set(address, source),
    delete: (address) => void sources.delete(address),
    close: async () => {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}
