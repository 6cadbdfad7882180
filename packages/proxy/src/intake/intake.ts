/** Receives and parses the bodies of requests. */
import type { IncomingMessage } from 'node:http';
import { BodyBudget, type BodyMemory } from './body-budget.ts';
import { RefusedBody } from './body-refusal.ts';
import { Gathered } from './gathered.ts';
import { type JsonLimits, JsonScan } from './json-scan.ts';
import { pacer } from './pacer.ts';
import { parseJson, UnprocessableError, unreadableJson } from './parse-json.ts';
import { type BodyPace, receive } from './receive.ts';

export interface BodyLimits {
  /** Bytes received. */
  readonly sent: number;
  /** Bytes kept after unused lists are dropped. */
  readonly kept: number;
  readonly json: JsonLimits;
}

export interface IntakeSettings {
  /** Bytes of memory for all bodies together. */
  readonly memory: number;
  readonly pace: BodyPace;
}

const RETRY_AFTER_SECONDS = 1;

/** Bytes scanned in one round of the event loop: a few milliseconds of work. */
const MOST_IN_ROUND = 512 * 1024;

/** A body up to this many bytes is parsed, checked and handled in less than a millisecond. */
const SMALL = 4096;

export class Intake {
  readonly budget: BodyBudget;
  readonly pace: BodyPace;
  readonly #paced = pacer();
  /** Bytes scanned in this round of the event loop. */
  #inRound = 0;

  constructor({ memory, pace }: IntakeSettings) {
    this.budget = new BodyBudget(memory);
    this.pace = pace;
  }

  /**
   * Reads a JSON body within limits of size, time, memory and structure; undefined if it is empty.
   * Throws `RefusedBody`, or `UnprocessableError` if the body is not JSON or exceeds the structure.
   */
  async json(request: IncomingMessage, limits: BodyLimits, lease: BodyMemory): Promise<unknown> {
    const scan = new JsonScan(limits.json);
    const expected = Number(request.headers['content-length'] ?? limits.kept);
    const gathered = new Gathered((bytes) => this.reserve(lease, bytes), expected);
    const take = (piece: Buffer) => {
      const scanned = scan.push(piece);
      if ('kind' in scanned) throw new UnprocessableError([unreadableJson(scanned)]);
      for (const part of scanned) {
        if (gathered.length + part.length > limits.kept) {
          throw new RefusedBody({ kind: 'too-large', limit: limits.kept, stated: null });
        }
        gathered.add(part);
      }
    };
    const rules = { limit: limits.sent, pace: this.pace };
    await receive(request, rules, (piece) => this.#inTurn(piece.length, () => take(piece)));
    // Parsing takes milliseconds; many bodies may be complete at the same time.
    if (gathered.length > SMALL) await this.#paced();
    return parseJson(gathered.bytes(), scan.keys);
  }

  /** Hundreds of bodies may receive a piece at once; other requests must not wait for all of them. */
  #inTurn(bytes: number, work: () => void): void | Promise<void> {
    if (this.#inRound + bytes > MOST_IN_ROUND) return this.#paced().then(work);
    if (this.#inRound === 0) {
      setImmediate(() => {
        this.#inRound = 0;
      });
    }
    this.#inRound += bytes;
    work();
  }

  /** Throws `RefusedBody` if there is not enough memory. */
  reserve(lease: BodyMemory, bytes: number): void {
    if (lease.take(bytes)) return;
    if (lease.size + bytes > this.budget.largestBody) {
      throw new RefusedBody({ kind: 'never-fits', limit: this.budget.largestBody });
    }
    throw new RefusedBody({ kind: 'no-memory', retryAfterSeconds: RETRY_AFTER_SECONDS });
  }
}
