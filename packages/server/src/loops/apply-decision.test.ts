import type { Change, Decision } from '@dstack/core';
import type { Applied, Store } from '@dstack/store';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { applyDecision } from './apply-decision.ts';

function scene(outcome: Applied = 'applied') {
  const seen: unknown[] = [];
  const engine = {
    apply: async (changes: readonly Change[], _: unknown, decidedAt: number) => {
      seen.push(['apply', changes.length, decidedAt]);
      return outcome;
    },
    signal: async (signals: unknown) => seen.push(['signal', signals]),
  };
  const deps = {
    store: { engine } as unknown as Store,
    arm: (kind: string, id: string, at: number | null) => seen.push(['arm', kind, id, at]),
    measureTime: async () => void seen.push(['measure']),
    observer: null,
    log: pino({ level: 'silent' }),
  };
  const apply = (part: Partial<Decision>) =>
    applyDecision(deps, { run: 'train' }, { changes: [], signals: [], summary: {}, ...part }, 5);
  return { seen, apply };
}

const update: Change = { type: 'run.update', id: 'r', version: 1, set: { nextPassAt: 7 } };

it('arms the alarms of written records, and none if the write was refused', async () => {
  const written = scene();
  expect(await written.apply({ changes: [update] })).toEqual({ ending: 'done' });
  expect(written.seen).toEqual([
    ['apply', 1, 5],
    ['arm', 'run', 'r', 7],
  ]);
  const refused = scene('conflict');
  expect(await refused.apply({ changes: [update] })).toEqual({ ending: 'conflict' });
  expect(refused.seen).toEqual([['apply', 1, 5]]);
});

it('measures the time before it decides again what was written too late', async () => {
  const late = scene('late');
  expect(await late.apply({ changes: [update] })).toEqual({ ending: 'conflict' });
  expect(late.seen).toEqual([['apply', 1, 5], ['measure']]);
});

it('sends signals without a write if a decision changes nothing', async () => {
  const { seen, apply } = scene();
  const signals = [{ kind: 'fleet', id: 'f' }] as const;
  await apply({ signals });
  expect(seen).toEqual([['signal', signals]]);
});

it('never cancels an effect that may be under way at a provider', async () => {
  const { seen, apply } = scene();
  const cancel = (key: string) => apply({ changes: [{ type: 'intent.cancel', key }] });
  await expect(cancel('instance.create:i:0')).rejects.toThrow(/must not be cancelled/);
  expect(seen).toEqual([]);
  await cancel('job.start:j:0');
  expect(seen).toEqual([['apply', 1, 5]]);
});
