import { randomUUID } from 'node:crypto';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { CountedPeers } from '@dstack/store';
import * as z from 'zod';
import { peerMessage } from '../peers/peer-message.ts';
import type { AskedService, ReadTraffic } from './own-traffic.ts';
import { TrafficPart } from './traffic-part.ts';

const Question = z.object({
  type: z.literal('traffic'),
  reader: z.string(),
  isDetailed: z.boolean(),
  services: z.array(
    z.object({
      runId: z.string(),
      projectName: z.string(),
      runName: z.string(),
      gatewayId: z.string().nullable(),
    }),
  ),
});

/** A piece of a JSON list of parts, in Base64, from number `piece` of `pieces`. */
const Answer = z.object({
  type: z.literal('traffic-of'),
  reader: z.string(),
  server: z.string(),
  piece: z.int().min(0),
  pieces: z.int().min(1).max(10_000),
  data: z.string(),
});
type Answer = z.infer<typeof Answer>;

const Message = z.discriminatedUnion('type', [Question, Answer]);

/** Milliseconds in which other servers answer. */
const ANSWER_MS = 700;
/** Services in one question: PostgreSQL passes on 8000 bytes. */
const ASKED = 20;
/** Bytes of an answer in one message. */
const PIECE = 5000;

export interface GatheredTraffic {
  readonly parts: readonly TrafficPart[];
  /** Servers of the database, this one included. */
  readonly servers: number;
  /** Those of them that have not answered in time, or are of an earlier version. */
  readonly missing: number;
}

interface Reading {
  /** By server: the pieces that have arrived. */
  readonly answers: Map<string, string[]>;
  readonly parts: TrafficPart[];
  readonly done: Set<string>;
  readonly onDone: () => void;
}

/** Traffic that all servers of the database have counted. Without a question nothing is sent. */
export class TrafficPeers {
  readonly #peers: CountedPeers;
  readonly #own: ReadTraffic;
  readonly #server = randomUUID();
  readonly #readings = new Map<string, Reading>();
  readonly #unsubscribe: () => void;

  constructor(peers: CountedPeers, own: ReadTraffic) {
    this.#peers = peers;
    this.#own = own;
    this.#unsubscribe = peers.subscribe((text) => this.#onText(text));
  }

  async gather(services: readonly AskedService[], isDetailed: boolean): Promise<GatheredTraffic> {
    const own = this.#own(services, isDetailed);
    const others = services.length === 0 ? 0 : await this.#peers.others();
    if (others === 0) return { parts: own, servers: 1, missing: 0 };
    const questions: AskedService[][] = [];
    for (let from = 0; from < services.length; from += ASKED) {
      questions.push(services.slice(from, from + ASKED));
    }
    const answers = await Promise.all(
      questions.map((asked) => this.#ask(asked, isDetailed, others)),
    );
    const answered = Math.min(...answers.map(({ done }) => done));
    return {
      parts: [...own, ...answers.flatMap(({ parts }) => parts)],
      servers: Math.max(others, answered) + 1,
      missing: Math.max(0, others - answered),
    };
  }

  close(): void {
    this.#unsubscribe();
    this.#readings.clear();
  }

  async #ask(services: readonly AskedService[], isDetailed: boolean, others: number) {
    const reader = randomUUID();
    const all = Promise.withResolvers<void>();
    const reading: Reading = {
      ...{ answers: new Map(), parts: [], done: new Set() },
      onDone: () => reading.done.size >= others && all.resolve(),
    };
    this.#readings.set(reader, reading);
    const asked = services.map(({ runId, projectName, runName, gatewayId }) => ({
      ...{ runId, projectName, runName, gatewayId },
    }));
    this.#peers.send([JSON.stringify({ type: 'traffic', reader, isDetailed, services: asked })]);
    try {
      await withTimeout(() => all.promise, { ms: ANSWER_MS, onTimeout: () => {} });
      return { parts: reading.parts, done: reading.done.size };
    } finally {
      this.#readings.delete(reader);
    }
  }

  #onText(text: string): void {
    const message = peerMessage(Message, text);
    if (message?.type === 'traffic') this.#answer(message);
    else if (message) this.#onPiece(message);
  }

  /** Also without any requests: who asks waits for all servers. */
  #answer({ reader, services, isDetailed }: z.infer<typeof Question>): void {
    const bytes = Buffer.from(JSON.stringify(this.#own(services, isDetailed)));
    const pieces = Math.max(1, Math.ceil(bytes.length / PIECE));
    const texts = Array.from({ length: pieces }, (_, piece) => {
      const data = bytes.toString('base64', piece * PIECE, (piece + 1) * PIECE);
      const server = this.#server;
      const answer: Answer = { type: 'traffic-of', reader, server, piece, pieces, data };
      return JSON.stringify(answer);
    });
    this.#peers.send(texts);
  }

  #onPiece({ reader, server, piece, pieces, data }: Answer): void {
    const reading = this.#readings.get(reader);
    if (reading === undefined || reading.done.has(server)) return;
    const arrived = reading.answers.get(server) ?? [];
    reading.answers.set(server, arrived);
    // Messages of one statement arrive in their order; after a gap the answer is not complete.
    if (piece !== arrived.length) return;
    arrived.push(data);
    if (arrived.length < pieces) return;
    const parts = partsIn(arrived);
    if (parts === null) return;
    reading.parts.push(...parts);
    reading.done.add(server);
    reading.onDone();
  }
}

/** Null: of a server of another version. */
function partsIn(pieces: readonly string[]): TrafficPart[] | null {
  const bytes = Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64')));
  try {
    return z.array(TrafficPart).safeParse(JSON.parse(bytes.toString())).data ?? null;
  } catch {
    return null;
  }
}
