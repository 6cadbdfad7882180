import type { Signal } from '@dstack/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { VolumeLooks } from './volume-looks.ts';

type Volume = Parameters<VolumeLooks['at']>[0][number];

const SECOND = 1_000_000;
const handle = { id: 'claim', region: 'cluster', data: null };
const volume = (id: string, more: Partial<Volume> = {}): Volume =>
  ({ id, backend: 'kubernetes', handle, deleted: false, toBeDeleted: false, ...more }) as Volume;

describe('volumes that people look at', () => {
  let signals: string[];
  let looks: VolumeLooks;
  beforeEach(() => {
    signals = [];
    const signal = async (all: readonly Signal[]) => {
      signals.push(...all.map(({ kind, id }) => `${kind} ${id}`));
    };
    looks = new VolumeLooks({ engine: { signal } as never });
  });

  it('are looked for in their cluster, each once in ten seconds', async () => {
    await looks.at([volume('a'), volume('b')], 0);
    await looks.at([volume('a')], 9 * SECOND);
    expect(signals).toEqual(['volume-observation a', 'volume-observation b']);
    await looks.at([volume('a')], 10 * SECOND);
    expect(signals).toHaveLength(3);
  });

  it('are not looked for if that costs more, or if they do not exist', async () => {
    const others = [
      volume('cloud', { backend: 'aws' }),
      volume('host', { backend: 'remote' }),
      volume('new', { handle: null }),
      volume('deleted', { deleted: true }),
      volume('ending', { toBeDeleted: true }),
    ];
    await looks.at(others, 0);
    expect(signals).toEqual([]);
  });

  it('are twenty at most for each request, and the others at the next one', async () => {
    const many = Array.from({ length: 30 }, (_, at) => volume(`v${at}`));
    await looks.at(many, 0);
    expect(signals).toHaveLength(20);
    await looks.at(many, 1);
    expect(signals).toHaveLength(30);
  });
});
