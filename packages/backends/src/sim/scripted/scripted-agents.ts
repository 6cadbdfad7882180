/**
 * Agents of a simulated provider in the process of the server, thousands of them: each serves the
 * agent protocol at a unix socket, and its jobs are scripts. They and their jobs end with the
 * process; the next process starts them again without jobs, as after a power failure.
 */
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { type AgentInfo, FEATURES, PROTOCOL } from '@dstack/contract/agent';
import { WebSocketServer } from 'ws';
import type { SimAddress, SimAgents } from '../provider.ts';
import type { SimMachine } from '../tables.ts';
import { answerRequest } from './requests.ts';
import { ScriptedJobs } from './scripted-jobs.ts';
import { serveStream } from './stream.ts';

interface Agent {
  readonly jobs: ScriptedJobs;
  readonly info: AgentInfo;
  readonly token: string;
  readonly sockets: Set<Socket>;
}

const MIB = 2 ** 20;

export class ScriptedAgents implements SimAgents {
  /** The folder of the sockets. */
  readonly #folder: string;
  readonly #listening = new Map<string, { readonly server: Server; readonly agent: Agent }>();
  readonly #agentOf = new WeakMap<object, Agent>();
  readonly #http = createHttp({ requestTimeout: 0, keepAliveTimeout: 0 });
  readonly #streams = new WebSocketServer({ noServer: true, perMessageDeflate: false });

  constructor(folder: string) {
    this.#folder = folder;
    this.#http.on('request', (request, response) => {
      const agent = this.#authorized(request);
      if (agent === null) response.writeHead(401).end();
      else answerRequest(request, response, agent).catch(() => response.destroy());
    });
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  async start(machine: SimMachine): Promise<SimAddress> {
    const { id } = machine;
    const path = join(this.#folder, `${id}.sock`);
    const token = createHash('sha256').update(`agent of ${id}`).digest('hex');
    if (!this.#listening.has(id)) await this.#listen(machine, path, token);
    return {
      hostname: `${id}.sim.example`,
      internalIp: addressOf(id),
      access: { kind: 'socket', path, token },
    };
  }

  async stop({ id }: SimMachine): Promise<void> {
    const one = this.#listening.get(id);
    this.#listening.delete(id);
    if (one) end(one);
  }

  close(): void {
    for (const one of this.#listening.values()) end(one);
    this.#listening.clear();
  }

  async #listen(machine: SimMachine, path: string, token: string): Promise<void> {
    const jobs = new ScriptedJobs(machine.id, (seconds, then) => {
      setTimeout(then, seconds * 1000).unref();
    });
    const agent: Agent = { jobs, info: infoOf(machine), token, sockets: new Set() };
    const server = createServer((socket) => {
      agent.sockets.add(socket);
      socket.on('close', () => agent.sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      this.#agentOf.set(socket, agent);
      this.#http.emit('connection', socket);
    });
    // Remove the socket of an earlier process, which no longer holds the lock of the server.
    rmSync(path, { force: true });
    this.#listening.set(machine.id, { server, agent });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    server.unref();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const agent = this.#authorized(request);
    if (agent === null || request.url !== '/v1/stream') {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    this.#streams.handleUpgrade(request, socket, head, (stream) => {
      serveStream(stream, agent.jobs, agent.info);
    });
  }

  #authorized({ socket, headers }: IncomingMessage): Agent | null {
    const agent = this.#agentOf.get(socket);
    return agent && headers.authorization === `Bearer ${agent.token}` ? agent : null;
  }
}

function end({ server, agent }: { readonly server: Server; readonly agent: Agent }): void {
  server.close();
  for (const socket of agent.sockets) socket.destroy();
}

/** The machine has the properties of its offer. */
function infoOf({ id, offer }: SimMachine): AgentInfo {
  const { cpus, memory_mib, gpus, disk } = offer.instance.resources;
  return {
    version: 'scripted',
    features: FEATURES,
    protocol: PROTOCOL,
    server_id: null,
    executor: 'docker',
    time: Date.now() * 1000,
    host: {
      hostname: id,
      arch: 'x86',
      cpus,
      memory_bytes: memory_mib * MIB,
      disk_bytes: disk.size_mib * MIB,
      addresses: [`${addressOf(id)}/8`],
      gpus: gpus.map(({ name, memory_mib }, n) => {
        return { vendor: 'nvidia', name, memory_mib, id: `${id}-${n}` };
      }),
      gpu_driver: null,
      ssh_host_key: null,
    },
  };
}

function addressOf(id: string): string {
  const [a = 0, b = 0, c = 0] = createHash('sha256').update(id).digest();
  return `10.${a}.${b}.${c}`;
}
