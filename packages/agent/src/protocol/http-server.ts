import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type AgentFrame,
  type AgentInfo,
  AgentLease,
  HostShellKeys,
  ImagePlan,
  JobKeys,
  JobSpecForAgent,
  MAX_EXEC_MESSAGE,
  NoticeJob,
  NoticeWatch,
  PutGateway,
  PutVolume,
  StartJob,
  StopJob,
  UnmountVolume,
  VolumePlace,
} from '@dstack/contract/agent';
import { WebSocketServer } from 'ws';
import type { GatewayPrograms } from '../gateways/gateway-programs.ts';
import type { EventLogger } from '../host/log.ts';
import type { MetadataWatch } from '../host/notices/metadata-watch.ts';
import { AgentError } from '../jobs/agent-error.ts';
import type { JobRegistry } from '../jobs/registry.ts';
import type { ServerLease } from '../jobs/server-lease.ts';
import type { VolumeDirectories } from '../volumes/volume-directories.ts';
import { serveExec } from './exec-session.ts';
import { joinGateway, joinJobPort, joinJobSsh, joinTunnel } from './job-port.ts';
import { badBody, readBody, readGatewayId, readVolumeId } from './read-body.ts';
import { CLOSE_REPLACED, StreamSession } from './stream-session.ts';

/** Frames from a server are small. */
const MAX_FRAME = 1024 * 1024;

export interface AgentServerOptions {
  readonly token: string;
  readonly info: () => AgentInfo;
  /** The newest results of the health checks; null before the first ones. */
  readonly health: () => (AgentFrame & { type: 'health' }) | null;
  readonly notices: Pick<MetadataWatch, 'watch' | 'frame'>;
  readonly registry: JobRegistry;
  readonly volumes: VolumeDirectories;
  readonly gateways: Pick<GatewayPrograms, 'put' | 'remove' | 'dial'>;
  readonly log: EventLogger;
  /** Receives the server's plan for images. */
  readonly planImages: (plan: ImagePlan) => void;
  /** Null = this host opens no shells to users of the server. */
  readonly openShells: ((keys: HostShellKeys) => void) | null;
  readonly claim: (serverId: string) => boolean;
  readonly lease: Pick<ServerLease, 'grant' | 'renew'>;
  /** Called when a server has connected (true) or the last one has disconnected (false). */
  readonly onPresence: (present: boolean) => void;
}

/** The agent's side of the protocol. The caller makes `http` listen. */
export class AgentServer {
  readonly http: Server;
  readonly #options: AgentServerOptions;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME,
    perMessageDeflate: false,
  });
  readonly #execSockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_EXEC_MESSAGE,
    perMessageDeflate: false,
  });
  #session: StreamSession | null = null;

  constructor(options: AgentServerOptions) {
    this.#options = options;
    // No timeouts: uploads may take long, and an idle connection waits for the next command.
    // Everything on this socket comes from one trusted peer.
    this.http = createServer({ requestTimeout: 0, keepAliveTimeout: 0 }, (request, response) => {
      void this.#answer(request, response);
    });
    this.http.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
  }

  /** The stream of the connected server; null if there is none. */
  get session(): StreamSession | null {
    return this.#session;
  }

  close(): void {
    for (const client of [...this.#sockets.clients, ...this.#execSockets.clients]) {
      client.close(1001, 'agent is ending');
    }
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
      // The rest of an upload must be read, or the peer never receives the answer.
      request.resume();
      sendJson(response, status, { code, message });
    }
  }

  /** Returns the answer's body; undefined = none. */
  async #route(request: IncomingMessage): Promise<unknown> {
    const { registry, info, volumes, gateways } = this.#options;
    const [version, kind, id = '', part, item = '', ...rest] = segments(request);
    const name = [request.method, version, kind];
    name.push(...(id ? [':id'] : []), ...(part ? [part] : []), ...(item ? [':item'] : []));
    if (rest.length > 0) throw notFound();
    switch (name.join(' ')) {
      case 'GET v1 info':
        return info();
      case 'PUT v1 jobs :id':
        return registry.put(await readJobSpec(request, id));
      case 'PUT v1 jobs :id archives :item':
        return registry.putArchive(id, item, request);
      case 'PUT v1 jobs :id code':
        return registry.putCode(id, request);
      case 'POST v1 jobs :id start':
        return registry.start(id, await readBody(request, StartJob));
      case 'POST v1 jobs :id stop':
        return registry.stop(id, await readBody(request, StopJob));
      case 'PUT v1 jobs :id notice':
        return registry.notice(id, await readBody(request, NoticeJob));
      case 'DELETE v1 jobs :id notice':
        return registry.withdrawNotice(id);
      case 'PUT v1 keys':
        return registry.authorize(await readBody(request, JobKeys));
      case 'PUT v1 host-shell':
        return this.#openShells(await readBody(request, HostShellKeys));
      case 'PUT v1 lease':
        return this.#options.lease.grant(await readBody(request, AgentLease));
      case 'PUT v1 notice-watch':
        return this.#options.notices.watch(await readBody(request, NoticeWatch));
      case 'PUT v1 images':
        return this.#options.planImages(await readBody(request, ImagePlan));
      case 'PUT v1 volumes :id':
        return volumes.put(readVolumeId(id), await readBody(request, PutVolume));
      case 'POST v1 volumes :id state':
        return volumes.state(readVolumeId(id), await readBody(request, VolumePlace));
      case 'POST v1 volumes :id delete':
        return volumes.remove(readVolumeId(id), await readBody(request, VolumePlace));
      case 'POST v1 volumes :id unmount':
        return volumes.unmount(readVolumeId(id), await readBody(request, UnmountVolume));
      case 'PUT v1 gateways :id':
        return gateways.put(readGatewayId(id), await readBody(request, PutGateway));
      case 'DELETE v1 gateways :id':
        return gateways.remove(readGatewayId(id));
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
      if (kind === 'jobs' && part === 'ssh' && port === '') {
        await joinJobSsh(this.#options.registry, id, socket, head);
        return;
      }
      if (kind === 'gateways' && part === 'link' && port === '') {
        await joinGateway(this.#options.gateways, readGatewayId(id), socket, head);
        return;
      }
      if (kind === 'jobs' && part === 'exec' && port === '') {
        const reach = this.#options.registry.running(id);
        this.#execSockets.handleUpgrade(request, socket, head, (one) => serveExec(reach, one));
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
      // The server has reconnected before the agent noticed the loss.
      this.#session?.close(CLOSE_REPLACED, 'replaced by a newer connection');
      const notice = () => this.#options.notices.frame;
      const session = new StreamSession(webSocket, { ...this.#options, notice });
      this.#session = session;
      this.#options.onPresence(true);
      // An open stream is no proof of a contact: the other end may have disappeared.
      webSocket.on('ping', () => this.#options.lease.renew());
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
      throw new AgentError(401, 'unauthorized', 'The token is not the token of this agent');
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
    throw new AgentError(400, 'bad_request', 'The path has an invalid percent-encoding');
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
  return new AgentError(404, 'not_found', 'Nothing exists at this path');
}

async function readJobSpec(request: IncomingMessage, id: string): Promise<JobSpecForAgent> {
  const spec = await readBody(request, JobSpecForAgent);
  if (spec.id !== id) throw badBody('id differs from the one in the path');
  return spec;
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
