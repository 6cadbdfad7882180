/** Takes the bodies of requests in, of callers who are known. */
import type { IncomingMessage } from 'node:http';
import { Gathered } from '../../gathered.ts';
import { BodyBudget, type Lease } from './body-budget.ts';
import type { BodyLimits } from './body-limits.ts';
import { RefusedBody } from './body-refusal.ts';
import { JsonScan } from './json-scan.ts';
import { parseJson, UnprocessableError, unreadableJson } from './parse-json.ts';
import { type Pace, receive } from './receive.ts';

export interface IntakeSettings {
  /** Bytes that all bodies under way may have in memory. */
  readonly memory: number;
  readonly pace: Pace;
}

const RETRY_AFTER_SECONDS = 1;

export class Intake {
  readonly budget: BodyBudget;
  readonly pace: Pace;

  constructor({ memory, pace }: IntakeSettings) {
    this.budget = new BodyBudget(memory);
    this.pace = pace;
  }

  /**
   * A JSON body, bounded in everything a parser would suffer from; undefined: there is none. Throws
   * `RefusedBody`, or `UnprocessableError` for what is not JSON or has a structure that is none of
   * ours.
   */
  async json(request: IncomingMessage, limits: BodyLimits, lease: Lease): Promise<unknown> {
    const scan = new JsonScan(limits.json);
    const expected = Number(request.headers['content-length'] ?? limits.kept);
    const gathered = new Gathered((bytes) => this.reserve(lease, bytes), expected);
    await receive(request, { limit: limits.sent, pace: this.pace }, (piece) => {
      const scanned = scan.push(piece);
      if ('kind' in scanned) throw new UnprocessableError([unreadableJson(scanned)]);
      for (const part of scanned) {
        if (gathered.length + part.length > limits.kept) {
          throw new RefusedBody({ kind: 'too-large', limit: limits.kept, stated: null });
        }
        gathered.add(part);
      }
    });
    return parseJson(gathered.bytes(), scan.keys);
  }

  /** Throws `RefusedBody` where there is no room. */
  reserve(lease: Lease, bytes: number): void {
    if (lease.take(bytes)) return;
    if (lease.size + bytes > this.budget.largestBody) {
      throw new RefusedBody({ kind: 'never-fits', limit: this.budget.largestBody });
    }
    throw new RefusedBody({ kind: 'no-memory', retryAfterSeconds: RETRY_AFTER_SECONDS });
  }
}
