export { freePort } from '@dstack/testkit';

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
