import { once } from 'node:events';
import { createServer } from 'node:net';

/** A port of the loopback interface on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** A command that serves HTTP, and prints `serving http://localhost:PORT/` once it does. */
export function servesAt(port: number): string {
  const lines = [
    'import http.server as h',
    `server = h.HTTPServer(("127.0.0.1", ${port}), h.SimpleHTTPRequestHandler)`,
    `print("serving http://localhost:${port}/", flush=True)`,
    'server.serve_forever()',
  ];
  return `exec python3 -c '${lines.join('; ')}'`;
}
