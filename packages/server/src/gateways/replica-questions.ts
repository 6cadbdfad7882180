/** Questions of people to the replicas of a gateway, whichever server of the database has the link. */
import { randomUUID } from 'node:crypto';
import { type GatewayCommand, type GatewayFrame, parseGatewayFrame } from '@dstack/contract/agent';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { Id } from '@dstack/core';
import type { Peers } from '@dstack/store';
import * as z from 'zod';
import { peerMessage } from '../peers/peer-message.ts';

type Without<T> = T extends { readonly n: number } ? Omit<T, 'n'> : never;
export type ReplicaQuestion = Without<
  Extract<GatewayCommand, { type: 'read-log' }> | Extract<GatewayCommand, { type: 'renew' }>
>;
export type ReplicaAnswer = Extract<GatewayFrame, { type: 'log' | 'renewing' }>;

export interface ReplicaSource {
  readonly isOpen: () => boolean;
  readonly send: (order: GatewayCommand) => void;
}

/** Milliseconds to wait for an answer. Gateway programs of an earlier version never answer. */
const LIMIT_MS = 1000;
/** Milliseconds to wait for an answer that another server passes on. */
const PEER_LIMIT_MS = 2000;
/** Bytes of an answer in one message between servers, which is Base64 there. */
const PIECE = 5000;

const Question = z.object({
  type: z.literal('replica-question'),
  reader: z.string(),
  replica: z.string(),
  question: z.discriminatedUnion('type', [
    z.object({ type: z.literal('read-log'), lines: z.number(), after: z.string().nullable() }),
    z.object({ type: z.literal('renew'), domain: z.string().nullable() }),
  ]),
});
const Piece = z.object({
  type: z.literal('replica-answer'),
  reader: z.string(),
  piece: z.string(),
  isLast: z.boolean(),
});
const Message = z.discriminatedUnion('type', [Question, Piece]);

/** An answer counts only over the link of the question, and only for a question of its kind. */
interface Asked {
  readonly replica: Id;
  readonly answer: ReplicaAnswer['type'];
  readonly done: Reading['done'];
}

const ANSWERS = { 'read-log': 'log', renew: 'renewing' } as const satisfies Record<
  ReplicaQuestion['type'],
  ReplicaAnswer['type']
>;

interface Reading {
  readonly pieces: Buffer[];
  readonly done: (answer: ReplicaAnswer | null) => void;
}

export class ReplicaQuestions {
  /** Null: no other server has this database. */
  readonly #peers: Peers | null;
  readonly #sources = new Map<Id, ReplicaSource>();
  readonly #asked = new Map<number, Asked>();
  readonly #reading = new Map<string, Reading>();
  readonly #unsubscribe: () => void;
  #last = 0;

  constructor(peers: Peers | null) {
    this.#peers = peers;
    this.#unsubscribe = peers?.subscribe((text) => this.#onText(text)) ?? (() => {});
  }

  opened(replicaId: Id, source: ReplicaSource): void {
    this.#sources.set(replicaId, source);
  }

  forget(replicaId: Id): void {
    this.#sources.delete(replicaId);
  }

  isAsked(replicaId: Id, type: ReplicaAnswer['type'], n: number): boolean {
    const asked = this.#asked.get(n);
    return asked?.replica === replicaId && asked.answer === type;
  }

  answered(replicaId: Id, answer: ReplicaAnswer): void {
    if (!this.isAsked(replicaId, answer.type, answer.n)) return;
    this.#asked.get(answer.n)?.done(answer);
  }

  close(): void {
    this.#unsubscribe();
  }

  /** Null: no server that answers is connected to it, or its program does not answer. */
  async ask(replicaId: Id, question: ReplicaQuestion): Promise<ReplicaAnswer | null> {
    const source = this.#sources.get(replicaId);
    if (source?.isOpen()) return await this.#askHere(replicaId, source, question);
    return this.#peers === null ? null : await this.#askPeers(this.#peers, replicaId, question);
  }

  async #askHere(replica: Id, { send }: ReplicaSource, question: ReplicaQuestion) {
    this.#last += 1;
    const n = this.#last;
    const answer = Promise.withResolvers<ReplicaAnswer | null>();
    this.#asked.set(n, { replica, answer: ANSWERS[question.type], done: answer.resolve });
    send({ ...question, n });
    try {
      return await withTimeout(() => answer.promise, { ms: LIMIT_MS, onTimeout: () => null });
    } finally {
      this.#asked.delete(n);
    }
  }

  async #askPeers(peers: Peers, replica: Id, question: ReplicaQuestion) {
    const reader = randomUUID();
    const answer = Promise.withResolvers<ReplicaAnswer | null>();
    this.#reading.set(reader, { pieces: [], done: answer.resolve });
    peers.send([JSON.stringify({ type: 'replica-question', reader, replica, question })]);
    try {
      return await withTimeout(() => answer.promise, { ms: PEER_LIMIT_MS, onTimeout: () => null });
    } finally {
      this.#reading.delete(reader);
    }
  }

  #onText(text: string): void {
    const message = peerMessage(Message, text);
    if (message?.type === 'replica-question') void this.#answerPeer(message);
    else if (message) this.#onPiece(message);
  }

  async #answerPeer({ reader, replica, question }: z.infer<typeof Question>): Promise<void> {
    const source = this.#sources.get(replica);
    if (!source?.isOpen()) return;
    const answer = await this.#askHere(replica, source, question);
    if (answer === null) return;
    const bytes = Buffer.from(JSON.stringify(answer));
    const texts: string[] = [];
    for (let from = 0; from < bytes.length; from += PIECE) {
      const piece = bytes.toString('base64', from, from + PIECE);
      const isLast = from + PIECE >= bytes.length;
      texts.push(JSON.stringify({ type: 'replica-answer', reader, piece, isLast }));
    }
    this.#peers?.send(texts);
  }

  #onPiece({ reader, piece, isLast }: z.infer<typeof Piece>): void {
    const reading = this.#reading.get(reader);
    if (!reading) return;
    reading.pieces.push(Buffer.from(piece, 'base64'));
    if (isLast) reading.done(answerIn(Buffer.concat(reading.pieces).toString()));
  }
}

/** Null: a piece was lost, or another server is of another version. */
function answerIn(text: string): ReplicaAnswer | null {
  try {
    const frame = parseGatewayFrame(text);
    return frame?.type === 'log' || frame?.type === 'renewing' ? frame : null;
  } catch {
    return null;
  }
}
