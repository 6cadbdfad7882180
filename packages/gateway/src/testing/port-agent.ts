/** The agent of a host, as far as it opens ports for a gateway. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';

/** Opens ports as the agent does. `addressOf`: of a job with an address of its own. */
export async function startPortAgent(
  path: string,
  addressOf: (job: string) => string | null = () => null,
): Promise<Server> {
  const server = createServer();
  server.on('upgrade', (request, socket) => {
    const [, , , job = '', , port] = (request.url ?? '').split('/');
    const address = addressOf(job) ?? '127.0.0.1';
    const app = connect(Number(port), address);
    app.on('error', () => {
      const body = JSON.stringify({ code: 'port_refused', message: 'nothing listens' });
      const head = `HTTP/1.1 502 Bad Gateway\r\nContent-Length: ${body.length}\r\n\r\n`;
      socket.end(head + body);
    });
    app.on('connect', () => {
      const own = `Dstack-Address: ${address}\r\n`;
      const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n`;
      socket.write(`${head}${own}\r\n`);
      socket.pipe(app).pipe(socket);
    });
    socket.on('error', () => app.destroy());
    socket.on('close', () => app.destroy());
    app.on('close', () => socket.destroy());
  });
  server.listen(path);
  await once(server, 'listening');
  return server;
}
