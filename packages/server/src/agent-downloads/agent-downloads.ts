/**
 * The agent for containers, whose provider offers no other way in: they fetch it from this server. Its path contains a
 * part that is derived from the installation's secret, so that strangers learn and cost nothing.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import {
  type AgentDownload,
  type AgentDownloads,
  agentToken,
  isContainerAgent,
} from '@dstack/backends';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { answerUnknown } from '../http/error-answers.ts';
import { type AgentFile, agentFile, type FilePrograms } from './agent-file.ts';

export const AGENT_PROGRAM_PATH = '/api/agents/program/';
/** Hexadecimal digits of the hash, and of the secret part. */
const DIGITS = 32;
const NAME = /^(x64|arm64)-([0-9a-f]{32})([0-9a-f]{32})(\.gz)?$/;
/** Mirrors may keep it: the content is public, and the URL changes with it. */
const CACHED = 'public, max-age=31536000, immutable';

type Arch = 'x64' | 'arm64';

export interface ContainerAgentsOptions {
  readonly programs: FilePrograms;
  /** The secret of the installation. */
  readonly secret: () => Promise<string>;
}

export class ContainerAgents implements AgentDownloads {
  readonly #options: ContainerAgentsOptions;
  readonly #made = new Map<Arch, Promise<AgentFile>>();

  constructor(options: ContainerAgentsOptions) {
    this.#options = options;
  }

  async agent(arch: Arch): Promise<AgentDownload> {
    const { sha256 } = await this.#file(arch);
    const name = `${arch}-${sha256.slice(0, DIGITS)}${await this.#key()}`;
    return { path: `${AGENT_PROGRAM_PATH}${name}`, sha256 };
  }

  route(app: FastifyInstance): void {
    app.get(`${AGENT_PROGRAM_PATH}:name`, { exposeHeadRoute: false }, async (request, reply) =>
      this.#answer(request, reply),
    );
    app.get(
      `${AGENT_PROGRAM_PATH}:name/:agent`,
      { exposeHeadRoute: false },
      async (request, reply) => this.#answerPresent(request, reply),
    );
  }

  /**
   * The name and the hash of the present agent, for a container that was ordered by another version of this server:
   * the launcher has a hash that no answer would fit. They come with a proof that only who has the token of the
   * container's agent can make, since the launcher may have fetched them without TLS.
   */
  async #answerPresent(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { name, agent } = request.params as { readonly name: string; readonly agent: string };
    const [, arch, , key, suffix] = NAME.exec(name) ?? [];
    const isKnown = arch !== undefined && suffix === undefined && isContainerAgent(agent);
    if (!isKnown || !isSame(key ?? '', await this.#key())) return answerUnknown(request, reply);
    const { path, sha256 } = await this.agent(arch as Arch);
    const present = `${path.slice(AGENT_PROGRAM_PATH.length)} ${sha256}`;
    const token = agentToken(await this.#options.secret(), agent);
    const proof = keyed(token, keyed(token, present));
    return reply
      .headers({ 'content-type': 'text/plain', 'cache-control': 'no-store' })
      .send(`${present} ${proof}\n`);
  }

  async #answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { name } = request.params as { readonly name: string };
    const [, arch, digits, key, suffix] = NAME.exec(name) ?? [];
    if (arch === undefined || !isSame(key ?? '', await this.#key())) {
      return answerUnknown(request, reply);
    }
    const file = await this.#file(arch as Arch);
    // Another version of this server has made the URL, and the launcher would refuse this content.
    if (!file.sha256.startsWith(digits ?? '-')) return answerUnknown(request, reply);
    const isPacked = suffix !== undefined;
    return reply
      .headers({
        'content-type': 'application/octet-stream',
        'content-length': isPacked ? file.packedSize : file.size,
        'cache-control': CACHED,
      })
      .send(isPacked ? file.openPacked() : file.open());
  }

  #file(arch: Arch): Promise<AgentFile> {
    const known = this.#made.get(arch);
    if (known) return known;
    const made = agentFile(this.#options.programs, arch);
    made.catch(() => this.#made.delete(arch));
    this.#made.set(arch, made);
    return made;
  }

  async #key(): Promise<string> {
    const key = createHmac('sha256', await this.#options.secret()).update('agent program');
    return key.digest('hex').slice(0, DIGITS);
  }
}

/** A hash that a launcher can compute with the small tools of any image; hashed twice, so that its reader cannot continue the text. */
const keyed = (token: string, text: string): string =>
  createHash('sha256').update(`${token}${text}`).digest('hex');

/** Compares texts of the same length, in a time that does not depend on them. */
const isSame = (a: string, b: string): boolean => timingSafeEqual(Buffer.from(a), Buffer.from(b));
