import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GatewayFrame, GatewayModelUse } from '@dstack/contract/agent';
import { answerMeter } from '@dstack/proxy';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModelUseSpool } from './model-use-spool.ts';
import { storeUse, useOf, withUsage } from './worker/model-usage.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-usage-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const uses = () => readdirSync(dir).filter((name) => name.endsWith('.json'));

type Sent = Extract<GatewayFrame, { type: 'usage' }>;

const of = { project: 'main', user: 'ann', model: 'parrot' };

function use(): GatewayModelUse {
  const meter = answerMeter();
  meter.push(Buffer.from('{"usage":{"prompt_tokens":3,"completion_tokens":4}}'));
  return useOf(of, meter, { isAborted: false, now: 86_400_000 * 20_000 });
}

it('delivers stored uses together, and keeps them until the server has confirmed them', async () => {
  const sent: Sent[] = [];
  let isThere = false;
  const spool = new ModelUseSpool(dir, (frame) => {
    if (isThere) sent.push(frame);
    return isThere;
  });
  await storeUse(dir, use());
  await storeUse(dir, use());
  spool.deliver();
  expect(uses()).toHaveLength(2);
  isThere = true;
  spool.connected();
  const total = { ...of, day: 20_000, requests: 2, aborted: 0, estimated: 0 };
  expect(sent).toEqual([
    {
      ...{ type: 'usage', n: 2, batch: expect.any(String) },
      uses: [{ ...total, prompt_tokens: 6, completion_tokens: 8 }],
    },
  ]);
  spool.deliver();
  spool.connected();
  expect(sent).toHaveLength(2);
  spool.used({ type: 'used', n: 2 });
  expect(uses()).toHaveLength(2);
  spool.used({ type: 'used', n: 3 });
  expect(readdirSync(dir)).toEqual([]);
});

it('sends again, as the same batch, what was not confirmed: by a process that is killed or goes on', async () => {
  const sent: Sent[] = [];
  const send = (frame: Sent) => sent.push(frame) > 0;
  let now = 0;
  await storeUse(dir, use());
  const spool = new ModelUseSpool(dir, send, () => now);
  spool.deliver();
  await storeUse(dir, use());
  now += 5000;
  spool.deliver();
  new ModelUseSpool(dir, send).deliver();
  const { batch, uses } = sent[0] as Sent;
  expect(sent).toMatchObject([{ n: 1 }, { n: 2, batch, uses }, { n: 1, batch, uses }]);
  spool.used({ type: 'used', n: 2 });
  expect(sent).toHaveLength(4);
  expect(sent[3]?.batch).not.toBe(batch);
  expect(sent[3]?.uses).toMatchObject([{ requests: 1 }]);
});

it('keeps uses while a full disk does not take what is sent', async () => {
  const sent: Sent[] = [];
  const spool = new ModelUseSpool(dir, (frame) => sent.push(frame) > 0);
  await storeUse(dir, use());
  mkdirSync(join(dir, 'batch.new'));
  spool.deliver();
  expect(sent).toEqual([]);
  rmSync(join(dir, 'batch.new'), { recursive: true });
  spool.deliver();
  expect(sent).toMatchObject([{ uses: [{ requests: 1 }] }]);
});

describe('uses that add up while the server is away', () => {
  function store(count: number, more: Partial<GatewayModelUse> = {}): void {
    for (let n = 0; n < count; n++) {
      writeFileSync(join(dir, `${randomUUID()}.json`), JSON.stringify({ ...use(), ...more }));
    }
  }
  const spoolOf = (send: (frame: Sent) => boolean) => new ModelUseSpool(dir, send, Date.now, 10);
  const deliver = (spool: ModelUseSpool, sent: Sent[]) => {
    spool.connected();
    for (let n = sent.at(-1)?.n ?? 0; uses().length > 0; n = sent.at(-1)?.n ?? 0) {
      spool.used({ type: 'used', n });
    }
    return sent.flatMap((frame) => frame.uses);
  };
  const requests = (all: readonly GatewayModelUse[]) =>
    all.reduce((sum, one) => sum + one.requests, 0);

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
    expect(Math.max(...sent.map((frame) => frame.uses.length))).toBeLessThanOrEqual(10);
  });
});

it('removes a damaged file with the next confirmed message', async () => {
  writeFileSync(join(dir, 'half.json'), '{"pro');
  const sent: Sent[] = [];
  const spool = new ModelUseSpool(dir, (frame) => sent.push(frame) > 0);
  spool.deliver();
  expect(sent).toMatchObject([{ type: 'usage', n: 1, uses: [] }]);
  spool.used({ type: 'used', n: 1 });
  expect(readdirSync(dir)).toEqual([]);
});

it.each([
  ['chat/completions', '{"stream":true, "model":"m"}', true],
  ['chat/completions', '{"stream":true,"stream_options":{}}', false],
  ['chat/completions', '{"stream":false}', false],
  ['responses', '{"stream":true}', false],
  ['chat/completions', 'nonsense', false],
])('asks for the usage of a stream at %s with %s: %s', (path, text, hidesUsage) => {
  const metered = withUsage(path, Buffer.from(text));
  expect(metered.hidesUsage).toBe(hidesUsage);
  const added = ',"stream_options":{"include_usage":true}';
  const expected = hidesUsage ? text.replace(/}$/, `${added}}`) : text;
  expect(metered.body.toString()).toBe(expected);
});
