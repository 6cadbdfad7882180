import { randomUUID } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepItem, keepTogether, Spool, type SpoolBatch, type SpoolKind } from './spool.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-usage-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const uses = () => readdirSync(dir).filter((name) => name.endsWith('.json'));

interface Use {
  readonly user: string;
  readonly requests: number;
  readonly tokens: number;
}
type Sent = SpoolBatch<Use>;

const use = (): Use => ({ user: 'ann', requests: 1, tokens: 7 });

const kind: SpoolKind<Use> = {
  keyOf: ({ user }) => user,
  sum: (one, { requests, tokens }) => ({
    ...one,
    ...{ requests: one.requests + requests, tokens: one.tokens + tokens },
  }),
};

it('delivers stored uses together, and keeps them until the server has confirmed them', async () => {
  const sent: Sent[] = [];
  let isThere = false;
  const spool = new Spool({
    ...{ dir, kind },
    send: (frame) => {
      if (isThere) sent.push(frame);
      return isThere;
    },
  });
  await keepItem(dir, use());
  await keepItem(dir, use());
  spool.deliver();
  expect(uses()).toHaveLength(2);
  isThere = true;
  spool.connected();
  expect(sent).toEqual([
    {
      ...{ n: 2, batch: expect.any(String) },
      items: [{ user: 'ann', requests: 2, tokens: 14 }],
    },
  ]);
  spool.deliver();
  spool.connected();
  expect(sent).toHaveLength(2);
  spool.used(2);
  expect(uses()).toHaveLength(2);
  spool.used(3);
  expect(readdirSync(dir)).toEqual([]);
});

it('sends again, as the same batch, what was not confirmed: by a process that is killed or goes on', async () => {
  const sent: Sent[] = [];
  const send = (frame: Sent) => sent.push(frame) > 0;
  let now = 0;
  await keepItem(dir, use());
  const spool = new Spool({ dir, kind, send, now: () => now });
  spool.deliver();
  await keepItem(dir, use());
  now += 5000;
  spool.deliver();
  new Spool({ dir, kind, send }).deliver();
  const { batch, items } = sent[0] as Sent;
  expect(sent).toMatchObject([{ n: 1 }, { n: 2, batch, items }, { n: 1, batch, items }]);
  spool.used(2);
  expect(sent).toHaveLength(4);
  expect(sent[3]?.batch).not.toBe(batch);
  expect(sent[3]?.items).toMatchObject([{ requests: 1 }]);
});

it('delivers to a server that needs longer than the time until a batch is sent again', async () => {
  const answers: { readonly n: number; readonly at: number }[] = [];
  let now = 0;
  await keepItem(dir, use());
  const send = ({ n }: Sent) => answers.push({ n, at: now + 12_000 }) > 0;
  const spool = new Spool({ dir, kind, send, now: () => now });
  for (; now < 60_000; now += 1000) {
    spool.deliver();
    for (const { n } of answers.filter(({ at }) => at === now)) spool.used(n);
    if (spool.isEmpty) break;
  }
  expect(readdirSync(dir)).toEqual([]);
});

it('leaves no file of an attempt that failed', async () => {
  // A folder in place of the file: it is written, and cannot get its name.
  mkdirSync(join(dir, 'taken.json'));
  await expect(keepItem(dir, use(), 'taken.json')).rejects.toThrow();
  expect(() => keepTogether(dir, [use()], 'taken.json')).toThrow();
  expect(readdirSync(dir)).toEqual(['taken.json']);
});

it('removes what a process was writing when it was killed, but not what is being written', () => {
  for (const name of ['old', 'now']) writeFileSync(join(dir, `${name}.json.new`), '{"us');
  const hourAgo = Date.now() / 1000 - 3600;
  utimesSync(join(dir, 'old.json.new'), hourAgo, hourAgo);
  new Spool<Use>({ dir, kind, send: () => true });
  expect(readdirSync(dir)).toEqual(['now.json.new']);
});

it('keeps uses while a full disk does not take what is sent', async () => {
  const sent: Sent[] = [];
  const spool = new Spool({ dir, kind, send: (frame: Sent) => sent.push(frame) > 0 });
  await keepItem(dir, use());
  mkdirSync(join(dir, 'batch.new'));
  spool.deliver();
  expect(sent).toEqual([]);
  rmSync(join(dir, 'batch.new'), { recursive: true });
  spool.deliver();
  expect(sent).toMatchObject([{ items: [{ requests: 1 }] }]);
});

describe('uses that add up while the server is away', () => {
  function store(count: number, more: Partial<Use> = {}): void {
    for (let n = 0; n < count; n++) {
      writeFileSync(join(dir, `${randomUUID()}.json`), JSON.stringify({ ...use(), ...more }));
    }
  }
  const spoolOf = (send: (frame: Sent) => boolean) => new Spool({ dir, kind, send, most: 10 });
  const deliver = (spool: Spool<Use>, sent: Sent[]) => {
    spool.connected();
    for (let n = sent.at(-1)?.n ?? 0; uses().length > 0; n = sent.at(-1)?.n ?? 0) {
      spool.used(n);
    }
    return sent.flatMap((frame) => frame.items);
  };
  const requests = (all: readonly Use[]) => all.reduce((sum, one) => sum + one.requests, 0);

  it('are added up in few files, and each is delivered once', () => {
    const sent: Sent[] = [];
    let isThere = false;
    const spool = spoolOf((frame) => isThere && sent.push(frame) > 0);
    store(35);
    for (let n = 0; n < 10; n++) spool.deliver();
    expect(uses().length).toBeLessThan(31);
    isThere = true;
    expect(requests(deliver(spool, sent))).toBe(35);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('are delivered once if the process is killed before it has removed what it has added up', () => {
    store(31);
    const copies = new Map(uses().map((name) => [name, readFileSync(join(dir, name))]));
    const spool = spoolOf(() => false);
    spool.deliver();
    expect(uses().some((name) => name.startsWith('sum-'))).toBe(true);
    for (const [name, text] of copies) writeFileSync(join(dir, name), text);
    const sent: Sent[] = [];
    const next = spoolOf((frame) => sent.push(frame) > 0);
    expect(requests(deliver(next, sent))).toBe(31);
  });

  it('of many users are delivered in messages that the server takes', () => {
    const sent: Sent[] = [];
    let isThere = false;
    const spool = spoolOf((frame) => isThere && sent.push(frame) > 0);
    for (let n = 0; n < 31; n++) store(1, { user: `user-${n}` });
    for (let n = 0; n < 3; n++) spool.deliver();
    isThere = true;
    expect(requests(deliver(spool, sent))).toBe(31);
    expect(Math.max(...sent.map((frame) => frame.items.length))).toBeLessThanOrEqual(10);
  });
});

it('removes a damaged file with the next confirmed message', async () => {
  writeFileSync(join(dir, 'half.json'), '{"pro');
  const sent: Sent[] = [];
  const spool = new Spool({ dir, kind, send: (frame: Sent) => sent.push(frame) > 0 });
  spool.deliver();
  expect(sent).toMatchObject([{ n: 1, items: [] }]);
  spool.used(1);
  expect(readdirSync(dir)).toEqual([]);
});

it('keeps the uses that a process was adding up when it was killed', async () => {
  await keepItem(dir, use());
  await keepItem(dir, use());
  const of = uses();
  const half = JSON.stringify({ uses: [use()], of });
  writeFileSync(join(dir, `sum-${randomUUID()}.json.new`), half);
  const sent: Sent[] = [];
  const send = (batch: Sent) => sent.push(batch) > 0;
  new Spool<Use>({ dir, kind, send }).deliver();
  expect(sent.map((one) => one.items)).toEqual([[{ user: 'ann', requests: 2, tokens: 14 }]]);
  expect(readdirSync(dir).filter((name) => name.endsWith('.new'))).toEqual([]);
});
