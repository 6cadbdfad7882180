import type { BackendAnswers, OffersWanted } from '@dstack/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NO_HINTS } from '../http/testing/offers.ts';
import { PoolAnswers } from './pool-answers.ts';

const wanted = (projectId: string): OffersWanted => ({
  ...{ key: `fleet of ${projectId}`, fleetId: projectId, projectId },
  ...{ requirements: {} as OffersWanted['requirements'], backends: null },
});
const none: BackendAnswers = { offers: new Map(), notes: [] };
const noteOf = (text: string) => ({ backend: 'aws', rule: 'backend_error', text }) as const;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the backends of several projects', () => {
  it('are waited for together, and each project has its own notes', async () => {
    const answer = async (id: string) => ({ ...none, notes: [noteOf(id)] });
    const answers = new PoolAnswers({ answer, hints: async () => NO_HINTS }, () => {});
    const found = await answers.ask([wanted('p1'), wanted('p2')], false);
    expect(found.silence('p1').unreachable).toEqual([noteOf('p1')]);
    expect(found.silence('p2').unreachable).toEqual([noteOf('p2')]);
    expect(found.silence('p3')).toEqual({});
  });

  it('are not unreachable for closed machines', async () => {
    const cordoned = {
      ...noteOf('new jobs are kept off n1 (cordoned)'),
      rule: 'cordoned',
    } as const;
    const answer = async () => ({ ...none, notes: [cordoned] });
    const answers = new PoolAnswers({ answer, hints: async () => NO_HINTS }, () => {});
    const found = await answers.ask([wanted('p1')], false);
    expect(found.silence('p1')).toEqual({ unreachable: [] });
  });

  it('that are slow delay the others for a moment; their answers serve the next pass', async () => {
    const { promise: slow, resolve } = Promise.withResolvers<BackendAnswers>();
    const asked: string[] = [];
    const woken: string[] = [];
    const answer = async (id: string) => {
      asked.push(id);
      return id === 'p1' ? await slow : none;
    };
    const answers = new PoolAnswers({ answer, hints: async () => NO_HINTS }, (id) =>
      woken.push(id),
    );
    const first = answers.ask([wanted('p1'), wanted('p2')], false);
    await vi.advanceTimersByTimeAsync(1000);
    expect((await first).silence('p1')).toEqual({ isUnanswered: true });
    expect((await first).silence('p2')).toEqual({ unreachable: [] });
    expect((await answers.ask([wanted('p1')], false)).silence('p1').isUnanswered).toBe(true);
    expect(woken).toEqual([]);
    resolve({ ...none, offers: new Map([[wanted('p1').key, []]]) });
    await vi.advanceTimersByTimeAsync(0);
    expect(woken).toEqual(['p1']);
    const later = await answers.ask([wanted('p1')], false);
    expect(later.silence('p1')).toEqual({ unreachable: [] });
    expect([...later.offers.keys()]).toEqual([wanted('p1').key]);
    expect(asked).toEqual(['p1', 'p2']);
  });

  it('are not put off by new questions: only those are asked, and all answers serve together', async () => {
    const asked: string[][] = [];
    const ends: (() => void)[] = [];
    const answer = async (_: string, some: readonly OffersWanted[]) => {
      const keys = some.map(({ key }) => key);
      asked.push(keys);
      await new Promise<void>((resolve) => ends.push(resolve));
      return { ...none, offers: new Map(keys.map((key) => [key, []])) };
    };
    const answers = new PoolAnswers({ answer, hints: async () => NO_HINTS }, () => {});
    const other = { ...wanted('p1'), key: 'another fleet of p1' };
    const ask = async (some: readonly OffersWanted[]) => {
      const answering = answers.ask(some, false);
      await vi.advanceTimersByTimeAsync(1000);
      return await answering;
    };
    expect((await ask([wanted('p1')])).silence('p1').isUnanswered).toBe(true);
    expect((await ask([wanted('p1'), other])).silence('p1').isUnanswered).toBe(true);
    expect(asked).toEqual([[wanted('p1').key], [other.key]]);
    for (const end of ends) end();
    await vi.advanceTimersByTimeAsync(0);
    const found = await ask([wanted('p1'), other]);
    expect(found.silence('p1')).toEqual({ unreachable: [] });
    expect([...found.offers.keys()].sort()).toEqual([other.key, wanted('p1').key].sort());
    expect(asked).toHaveLength(2);
  });

  it('are asked again where a late answer has not been used for long', async () => {
    let asked = 0;
    const answer = async () => {
      asked++;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return none;
    };
    const answers = new PoolAnswers({ answer, hints: async () => NO_HINTS }, () => {});
    const first = answers.ask([wanted('p1')], false);
    await vi.advanceTimersByTimeAsync(1000);
    expect((await first).silence('p1').isUnanswered).toBe(true);
    await vi.advanceTimersByTimeAsync(3_600_000);
    const later = answers.ask([wanted('p1')], false);
    await vi.advanceTimersByTimeAsync(1000);
    expect((await later).silence('p1').isUnanswered).toBe(true);
    expect(asked).toBe(2);
  });

  it('are waited for as long as it takes if the pool has no other project', async () => {
    const { promise: slow, resolve } = Promise.withResolvers<BackendAnswers>();
    const answers = new PoolAnswers({ answer: () => slow, hints: async () => NO_HINTS }, () => {});
    const asking = answers.ask([wanted('p1')], true);
    await vi.advanceTimersByTimeAsync(60_000);
    resolve(none);
    expect((await asking).silence('p1')).toEqual({ unreachable: [] });
  });
});
