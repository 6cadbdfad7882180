/**
 * The app of a service for tests and benches: `node service-app.ts`, on port 8000 of the job's own
 * address. It returns its job and version, supports a part of OpenAI's API, and ends gracefully.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { WebSocketServer } from 'ws';

const { DSTACK_JOB_ID: job, DSTACK_LISTEN_ADDRESS: address, VERSION: version = '1' } = process.env;

const server = createServer((request, response) => {
  const answer = answers[(request.url ?? '').split('?')[0] ?? ''] ?? describe;
  void answer(request, response);
});

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

const describe: Answer = async (request, response) => {
  const body = await text(request);
  const { method, url, headers } = request;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ job, version, pid: process.pid, method, url, headers, body }));
};

/** Number of probes that fail next. */
let failures = 0;

const kilobyte = 'x'.repeat(1024);

const answers: Readonly<Record<string, Answer>> = {
  '/kilobyte': (_request, response) => void response.end(kilobyte),
  '/sick': (request, response) => {
    failures = 3;
    return describe(request, response);
  },
  '/well': (_request, response) => {
    response.writeHead(failures > 0 ? 500 : 200).end();
    failures = Math.max(0, failures - 1);
  },
  '/events': async (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let n = 0; n < 3; n++) {
      response.write(`data: ${n}\n\n`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    response.end();
  },
  '/endless': (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: 0\n\n');
  },
  '/ticks': (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let n = 0;
    const timer = setInterval(() => response.write(`data: ${n++}\n\n`), 20);
    response.once('close', () => clearInterval(timer));
  },
  '/upload': async (request, response) => {
    let length = 0;
    for await (const chunk of request) length += chunk.length;
    response.end(String(length));
  },
  '/v1/chat/completions': async (request, response) => {
    const { model, stream, messages } = JSON.parse(await text(request));
    const reply = messages.at(-1).content.toUpperCase();
    if (!stream) {
      const choices = [{ index: 0, message: { role: 'assistant', content: reply } }];
      response.setHeader('content-type', 'application/json');
      const usage = { prompt_tokens: messages.length, completion_tokens: reply.length };
      response.end(JSON.stringify({ object: 'chat.completion', model, choices, usage }));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const content of reply.split(' ')) {
      const choices = [{ index: 0, delta: { role: 'assistant', content } }];
      response.write(`data: ${JSON.stringify({ object: 'chat.completion.chunk', choices })}\n\n`);
    }
    response.end('data: [DONE]\n\n');
  },
};

const sockets = new WebSocketServer({ server });
sockets.on('connection', (socket) => {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
});

process.on('SIGINT', () => {
  for (const socket of sockets.clients) socket.terminate();
  server.close();
  server.closeIdleConnections();
});
server.listen(8000, address, () => console.log('listens'));
