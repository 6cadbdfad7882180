import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AccessRecord } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import type { AccessPage } from '@dstack/proxy';
import type { Peers } from '@dstack/store';
import * as z from 'zod';
import { peerMessage } from '../../peers/peer-message.ts';
import type { AccessCursors, ReadAccess } from './stream-access.ts';

/** Reads what other servers have answered, for one client. */
export interface PeerReader {
  /** The pages that have arrived since the last reading; see `ReadAccess`. */
  read(after: AccessCursors): Promise<Map<string, AccessPage>>;
  close(): void;
}

/** `after`: the numbers that the reader has read last, by process. */
const Question = z.object({
  type: z.literal('access'),
  reader: z.string(),
  run: z.string(),
  after: z.record(z.string(), z.number()),
});

const Answer = z.object({
  type: z.literal('access-page'),
  reader: z.string(),
  process: z.string(),
  /** The number after the last record. */
  next: z.number(),
  records: z.array(AccessRecord),
  /** The jobs of the records. Apart from them, because earlier servers refuse keys that they do not have. */
  jobs: z.array(z.string().nullable()).default([]),
});
type Answer = z.infer<typeof Answer>;

const Message = z.discriminatedUnion('type', [Question, Answer]);

/** Milliseconds: other servers have so much time before the first reading. */
const FIRST_MS = 300;

/** Processes of other servers in a question; those that have ended long ago are left out. */
const MOST_PROCESSES = 50;

/** Bytes of the records in one message; PostgreSQL passes on 8000. */
const MOST_BYTES = 7000;

/** Characters of a path between servers. */
const MOST_PATH = 1000;

/**
 * Requests of a service that other servers of the database have answered. Each reading asks them once; a
 * server that does not answer is missing, and one without requests sends nothing. While no client reads,
 * nothing is sent.
 */
export class AccessPeers {
  readonly #id = randomUUID();
  readonly #peers: Peers;
  readonly #own: ReadAccess;
  readonly #inboxes = new Map<string, Map<string, AccessPage>>();
  readonly #unsubscribe: () => void;

  /** `own`: the requests that this server has answered. */
  constructor(peers: Peers, own: ReadAccess) {
    this.#peers = peers;
    this.#own = own;
    this.#unsubscribe = peers.subscribe((text) => this.#onText(text));
  }

  open(run: Id): PeerReader {
    const reader = randomUUID();
    this.#inboxes.set(reader, new Map());
    let isFirst = true;
    return {
      read: async (after) => {
        const known = [...after]
          .filter(([process]) => process.includes('/'))
          .slice(-MOST_PROCESSES);
        const question = { type: 'access', reader, run, after: Object.fromEntries(known) };
        this.#peers.send([JSON.stringify(question)]);
        if (isFirst) await delay(FIRST_MS);
        isFirst = false;
        const inbox = this.#inboxes.get(reader) ?? new Map<string, AccessPage>();
        this.#inboxes.set(reader, new Map());
        return unread(inbox, after);
      },
      close: () => this.#inboxes.delete(reader),
    };
  }

  close(): void {
    this.#unsubscribe();
    this.#inboxes.clear();
  }

  #onText(text: string): void {
    const message = peerMessage(Message, text);
    if (message?.type === 'access') void this.#answer(message);
    else if (message) this.#onPage(message);
  }

  #onPage({ reader, process, next, jobs, records: sent }: Answer): void {
    const records = sent.map((record, n) => ({ ...record, job_id: jobs[n] ?? null }));
    const inbox = this.#inboxes.get(reader);
    const known = inbox?.get(process);
    const page = known ?? { next: next - records.length, skipped: 0, records: [] };
    inbox?.set(process, continued(page, next, records));
  }

  async #answer({ reader, run, after }: z.infer<typeof Question>): Promise<void> {
    const prefix = `${this.#id}/`;
    const own = Object.entries(after)
      .filter(([process]) => process.startsWith(prefix))
      .map(([process, next]): [string, number] => [process.slice(prefix.length), next]);
    const pages = await this.#own(run, new Map(own)).catch(() => new Map<string, AccessPage>());
    const answers = [...pages].flatMap(([process, page]) =>
      pieces(page).map((piece) => ({
        ...{ type: 'access-page', reader, process: prefix + process, next: piece.next },
        jobs: piece.records.map(({ job_id }) => job_id),
        records: piece.records.map(({ job_id: _, ...record }) => record),
      })),
    );
    if (answers.length > 0) this.#peers.send(answers.map((answer) => JSON.stringify(answer)));
  }
}

/** From where the reader is, which may have read some of it in an earlier answer. */
function unread(inbox: ReadonlyMap<string, AccessPage>, after: AccessCursors) {
  const pages = new Map<string, AccessPage>();
  for (const [process, { next, skipped, records }] of inbox) {
    const from = after.get(process);
    const read = { next: from ?? next - records.length, skipped: 0, records: [] };
    const page = continued(read, next, records);
    // Processes that are started again have other ids, so numbers only rise.
    if (page.next > read.next) pages.set(process, { ...page, skipped: page.skipped + skipped });
  }
  return pages;
}

/** The page with the records that it lacks; a gap between both is counted. */
function continued(page: AccessPage, next: number, records: readonly AccessRecord[]): AccessPage {
  const first = next - records.length;
  return {
    next: Math.max(next, page.next),
    skipped: page.skipped + Math.max(0, first - page.next),
    records: [...page.records, ...records.slice(Math.max(0, page.next - first))],
  };
}

/** In messages that PostgreSQL passes on. */
function pieces({ records, next }: AccessPage) {
  const found: { readonly records: readonly AccessRecord[]; readonly next: number }[] = [];
  let piece: AccessRecord[] = [];
  let bytes = 0;
  let number = next - records.length;
  const end = () => {
    found.push({ records: piece, next: number });
    piece = [];
    bytes = 0;
  };
  for (const record of records) {
    const short = { ...record, path: record.path.slice(0, MOST_PATH) };
    const size = Buffer.byteLength(JSON.stringify(short));
    if (bytes + size > MOST_BYTES && piece.length > 0) end();
    piece.push(short);
    bytes += size;
    number += 1;
  }
  if (piece.length > 0) end();
  return found;
}
