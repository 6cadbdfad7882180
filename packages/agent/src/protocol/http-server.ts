import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { AgentInfo, HostShellKeys, ImagePlan } from '@dstack/contract/agent';
import { WebSocketServer } from 'ws';
import type { JobRegistry } from '../jobs/registry.ts';
import type { Logger } from '../log.ts';
import type { VolumeDirectories } from '../volumes/volume-directories.ts';
import { AgentError } from './agent-error.ts';
import {
  parseHostShellKeys,
  parseImagePlan,
  parseJobKeys,
  parseJobSpec,
  parsePutVolume,
  parseStart,
  parseStop,
  parseVolumeId,
  parseVolumePlace,
} from './bodies.ts';
import { joinJobPort, joinTunnel } from './job-port.ts';
import { CLOSE_REPLACED, StreamSession } from './stream-session.ts';

const MAX_JSON = 16 * 1024 * 1024;
/** Frames from a server are small. */
const MAX_FRAME = 1024 * 1024;

export interface AgentServerOptions {
  readonly token: string;
  readonly info: () => AgentInfo;
  readonly registry: JobRegistry;
  readonly volumes: VolumeDirectories;
  readonly log: Logger;
  /** Takes note of what the server thinks about images. */
  readonly planImages: (plan: ImagePlan) => void;
  /** Null: this machine opens no shells to users of the server. */
  readonly openShells: ((keys: HostShellKeys) => void) | null;
  readonly claim: (serverId: string) => boolean;
  /** Called when a server has connected (true) or the last one has gone (false). */
  readonly onPresence: (present: boolean) => void;
}

/** The agent's side of the protocol; it does not listen by itself. */
export class AgentServer {
  readonly http: Server;
  readonly #options: AgentServerOptions;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME,
    perMessageDeflate: false,
  });
  #session: StreamSession | null = null;

  constructor(options: AgentServerOptions) {
    this.#options = options;
    // Uploads may take long, and a connection waits for the next command as long as the server
    // likes; everything on this socket comes from one trusted peer.
    this.http = createServer({ requestTimeout: 0, keepAliveTimeout: 0 }, (request, response) => {
      void this.#answer(request, response);
    });
    this.http.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
  }

  /** The connection of the server, if there is one. */
  get session(): StreamSession | null {
    return this.#session;
  }

  close(): void {
    for (const client of this.#sockets.clients) client.close(1001, 'agent is ending');
    this.http.close();
    this.http.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      this.#authorize(request);
      const body = await this.#route(request);
      if (body === undefined) response.writeHead(204).end();
      else sendJson(response, 200, body);
    } catch (error) {
      if (!(error instanceof AgentError)) this.#options.log.error('request failed', error);
      const { status, code, message } = asAgentError(error);
      // What is left of an upload must be read, or the peer never sees the answer.
      request.resume();
      sendJson(response, status, { code, message });
    }
  }

  /** The answer's body; undefined = none. */
  async #route(request: IncomingMessage): Promise<unknown> {
    const { registry, info, volumes } = this.#options;
    const [version, kind, id = '', part, item = '', ...rest] = segments(request);
    const name = [request.method, version, kind, ...(id ? [':id'] : []), ...(part ? [part] : [])];
    if (rest.length > 0) throw notFound();
    switch (name.join(' ')) {
      case 'GET v1 info':
        return info();
      case 'PUT v1 jobs :id':
        return registry.put(parseJobSpec(await readJson(request), id));
      case 'PUT v1 jobs :id archives':
        return registry.putArchive(id, item, request);
      case 'PUT v1 jobs :id code':
        return registry.putCode(id, request);
      case 'POST v1 jobs :id start':
        return registry.start(id, parseStart(await readJson(request)));
      case 'POST v1 jobs :id stop':
        return registry.stop(id, parseStop(await readJson(request)));
      case 'PUT v1 keys':
        return registry.authorize(parseJobKeys(await readJson(request)));
      case 'PUT v1 host-shell':
        return this.#openShells(parseHostShellKeys(await readJson(request)));
      case 'PUT v1 images':
        return this.#options.planImages(parseImagePlan(await readJson(request)));
      case 'PUT v1 volumes :id':
        return volumes.put(parseVolumeId(id), parsePutVolume(await readJson(request)));
      case 'POST v1 volumes :id state':
        return volumes.state(parseVolumeId(id), parseVolumePlace(await readJson(request)));
      case 'POST v1 volumes :id delete':
        return volumes.remove(parseVolumeId(id), parseVolumePlace(await readJson(request)));
      case 'GET v1 jobs :id':
        return registry.state(id);
      case 'DELETE v1 jobs :id':
        return registry.remove(id);
      default:
        throw notFound();
    }
  }

  #openShells(keys: HostShellKeys): void {
    const { openShells } = this.#options;
    if (openShells === null) throw notFound();
    openShells(keys);
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    try {
      this.#authorize(request);
      const [version, kind, id = '', part, port = '', ...rest] = segments(request);
      if (version !== 'v1' || rest.length > 0) throw notFound();
      if (kind === 'jobs' && part === 'ports') {
        await joinJobPort(this.#options.registry, { id, port }, socket, head);
        return;
      }
      if (kind === 'jobs' && part === 'tunnels') {
        joinTunnel(this.#options.registry, { id, tunnel: port }, socket, head);
        return;
      }
      if (kind !== 'stream' || id !== '') throw notFound();
    } catch (error) {
      refuseUpgrade(socket, asAgentError(error));
      return;
    }
    this.#stream(request, socket, head);
  }

  #stream(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      // The server has come back before we noticed that it had gone.
      this.#session?.close(CLOSE_REPLACED, 'replaced by a newer connection');
      const session = new StreamSession(webSocket, this.#options);
      this.#session = session;
      this.#options.onPresence(true);
      webSocket.on('close', () => {
        if (this.#session !== session) return;
        this.#session = null;
        this.#options.onPresence(false);
      });
    });
  }

  #authorize(request: IncomingMessage): void {
    const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (!timingSafeEqual(sha256(given), sha256(this.#options.token))) {
      throw new AgentError(401, 'unauthorized', 'The token of this agent is another one');
    }
  }
}

function segments(request: IncomingMessage): string[] {
  const path = (request.url ?? '').split('?')[0] ?? '';
  try {
    return path
      .split('/')
      .filter((part) => part !== '')
      .map((part) => decodeURIComponent(part));
  } catch {
    throw new AgentError(400, 'bad_request', 'The path is not encoded as it should be');
  }
}

function asAgentError(error: unknown): AgentError {
  return error instanceof AgentError ? error : new AgentError(500, 'internal', String(error));
}

function refuseUpgrade(socket: Duplex, { status, code, message }: AgentError): void {
  const body = JSON.stringify({ code, message });
  const head = [
    `HTTP/1.1 ${status} Refused`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

function notFound(): AgentError {
  return new AgentError(404, 'not_found', 'There is nothing at this path');
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MAX_JSON)
      throw new AgentError(413, 'too_large', `The body is over ${MAX_JSON} bytes`);
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch {
    throw new AgentError(400, 'bad_request', 'The body is not JSON');
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
