/**
 * `node plain-proxy.ts <port> <app> <processes> <undici|agent>`: the least that a proxy written for Node does.
 * It passes on heads and bodies as they come and has no limits, no callers and no figures: what a worker of the
 * proxy is compared with.
 */
import cluster from 'node:cluster';
import { Agent, createServer, request as httpRequest, type RequestListener } from 'node:http';
import { type Dispatcher, Pool } from 'undici';

const [port = '', app = '', processes = '', kind = ''] = process.argv.slice(2);

if (cluster.isPrimary) {
  // All processes accept from one queue, as the workers of the proxy do.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  for (let n = 0; n < Number(processes); n++) cluster.fork();
  // Its own end ends the others: each of them ends with its channel.
  process.once('disconnect', () => process.exit());
} else {
  const answer = kind === 'undici' ? byUndici(new URL(app)) : byAgent(new URL(app));
  createServer(answer).listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
}

function byUndici(url: URL): RequestListener {
  const pool = new Pool(url.origin, { connections: null, pipelining: 1 });
  return (request, response) => {
    const { url: path = '/', rawHeaders: headers } = request;
    const method = request.method as Dispatcher.HttpMethod;
    const body = method === 'GET' ? null : request;
    pool.dispatch(
      { path, method, headers, body },
      {
        onRequestStart: () => {},
        onResponseStart: (controller, status) => {
          const raw = (controller.rawHeaders ?? []) as (Buffer | string)[];
          response.writeHead(
            status,
            raw.map((part) => part.toString('latin1')),
          );
        },
        onResponseData: (controller, chunk) => {
          if (response.write(chunk)) return;
          controller.pause();
          response.once('drain', () => controller.resume());
        },
        onResponseEnd: () => void response.end(),
        onResponseError: () => void response.destroy(),
      },
    );
  };
}

function byAgent(url: URL): RequestListener {
  const agent = new Agent({ keepAlive: true });
  const { hostname, port } = url;
  return (request, response) => {
    const { method, url: path, rawHeaders: headers } = request;
    const asked = httpRequest(
      { agent, hostname, port, method, path, headers: [...headers] },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(response);
      },
    );
    asked.on('error', () => response.destroy());
    request.pipe(asked);
  };
}
