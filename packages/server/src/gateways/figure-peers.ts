import { randomUUID } from 'node:crypto';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { Id } from '@dstack/core';
import type { ProxiedService } from '@dstack/proxy';
import type { Peers } from '@dstack/store';
import * as z from 'zod';
import { peerMessage } from '../peers/peer-message.ts';
import type { GatewayFigures } from './gateway-figures.ts';

const Stats = z.object({
  rps: z.number(),
  p50: z.number().nullable(),
  p95: z.number().nullable(),
  p99: z.number().nullable(),
  answered: z.record(z.string(), z.number()),
  latencies: z
    .object({ seconds: z.number(), counts: z.array(z.number()) })
    .nullable()
    .default(null),
});

const ReplicaTotals = z.object({
  answered: z.record(z.string(), z.number()),
  latencies: z.object({ seconds: z.number(), counts: z.array(z.number()) }),
});

const Question = z.object({ type: z.literal('figures'), reader: z.string(), run: z.string() });

const Answer = z.object({
  type: z.literal('figures-of'),
  reader: z.string(),
  state: Stats.extend({
    projectName: z.string(),
    runName: z.string(),
    inFlight: z.number(),
    held: z.number(),
    replicas: z.number(),
    ejected: z.number(),
    mirrored: Stats,
    byReplica: z.record(z.string(), ReplicaTotals).default({}),
    // Only series of this server show it.
    model: z.null().default(null).catch(null),
  }),
});

const Message = z.discriminatedUnion('type', [Question, Answer]);

/** Milliseconds in which the server that is connected to the gateway answers. */
const ANSWER_MS = 500;

type Figures = Pick<GatewayFigures, 'of'>;

/**
 * The figures of services behind gateways, at every server of a database: a gateway is connected to one of them,
 * which the others ask.
 */
export class FigurePeers implements Figures {
  readonly #peers: Peers;
  readonly #own: Figures;
  readonly #waiting = new Map<string, (state: ProxiedService) => void>();
  readonly #unsubscribe: () => void;

  /** `own`: of gateways that this server is connected to. */
  constructor(peers: Peers, own: Figures) {
    this.#peers = peers;
    this.#own = own;
    this.#unsubscribe = peers.subscribe((text) => this.#onText(text));
  }

  /** Null: no server that answers is connected to its gateway. */
  async of(runId: Id): Promise<ProxiedService | null> {
    return (await this.#own.of(runId)) ?? (await this.#elsewhere(runId));
  }

  close(): void {
    this.#unsubscribe();
  }

  async #elsewhere(run: Id): Promise<ProxiedService | null> {
    const reader = randomUUID();
    const answer = Promise.withResolvers<ProxiedService>();
    this.#waiting.set(reader, answer.resolve);
    this.#peers.send([JSON.stringify({ type: 'figures', reader, run })]);
    try {
      return await withTimeout(() => answer.promise, { ms: ANSWER_MS, onTimeout: () => null });
    } finally {
      this.#waiting.delete(reader);
    }
  }

  #onText(text: string): void {
    const message = peerMessage(Message, text);
    if (message?.type === 'figures') void this.#answer(message);
    else if (message) this.#waiting.get(message.reader)?.(message.state);
  }

  async #answer({ reader, run }: z.infer<typeof Question>): Promise<void> {
    // Without an answer the server that asks reports that it does not know them.
    const found = await this.#own.of(run).catch(() => null);
    if (found === null) return;
    // With the counts of many replicas the message would be too long, and no reader of it shows them.
    const state: ProxiedService = { ...found, byReplica: {}, model: null };
    this.#peers.send([JSON.stringify({ type: 'figures-of', reader, state })]);
  }
}
