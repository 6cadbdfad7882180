/**
 * A router of the kind `smg` for tests: keeps the workers that it is given, at `/workers`, and
 * passes requests on to them in turn. With `worker` as its argument: an engine behind such a router.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json, text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';

const { DSTACK_JOB_ID: job, DSTACK_LISTEN_ADDRESS: address } = process.env;

/** How long a worker takes for the prompt `slow`. */
const SLOW_MS = 4000;

const workers = new Map<string, { readonly url: string }>();
let turns = 0;
let ids = 0;

async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url = '' } = request;
  const [, , id = ''] = url.split('/');
  if (url === '/workers' && method === 'GET') {
    const list = [...workers].map(([id, worker]) => ({ id, ...worker }));
    response.end(JSON.stringify({ workers: list }));
  } else if (url === '/workers') {
    workers.set(String(++ids), (await json(request)) as { url: string });
    response.writeHead(202).end('{"status":"accepted"}');
  } else if (url.startsWith('/workers/')) {
    workers.delete(decodeURIComponent(id));
    response.writeHead(202).end('{"status":"accepted"}');
  } else {
    const all = [...workers.values()];
    const worker = all[turns++ % all.length];
    if (!worker) {
      response.writeHead(503).end();
      return;
    }
    const body = await text(request);
    const answer = await fetch(new URL(url, worker.url), { method: 'POST', body });
    response.writeHead(answer.status).end(await answer.text());
  }
}

async function work(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answers: Readonly<Record<string, object>> = {
    '/v1/models': { data: [{ owned_by: 'sglang' }] },
    '/server_info': { status: 'ready', disaggregation_mode: 'null' },
  };
  const prompt = await text(request);
  if (prompt === 'slow') await pause(SLOW_MS);
  const body = answers[request.url ?? ''] ?? { job, pid: process.pid, prompt };
  response.end(JSON.stringify(body));
}

const answer = process.argv[2] === 'worker' ? work : route;
createServer((request, response) => {
  answer(request, response).catch(() => response.destroy());
}).listen(8000, address ?? '127.0.0.1');
