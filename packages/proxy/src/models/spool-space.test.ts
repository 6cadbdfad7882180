import { describe, expect, it } from 'vitest';
import { RefusedBody } from '../intake/body-refusal.ts';
import { SpoolSpace } from './spool-space.ts';

const MIB = 1024 * 1024;
const space = (free = 1e12) =>
  new SpoolSpace({ dir: '/', most: 100 * MIB, free: async () => free });

describe('the disk space for bodies', () => {
  it('is shared: one project gets half of it', async () => {
    const shared = space();
    const [one, other] = [shared.open('a'), shared.open('a')];
    await one.take(30 * MIB);
    await expect(other.take(21 * MIB)).rejects.toThrow(RefusedBody);
    await shared.open('b').take(50 * MIB);
    await expect(shared.open('c').take(21 * MIB)).rejects.toThrow(RefusedBody);
    one.release();
    one.release();
    await shared.open('c').take(21 * MIB);
    expect(shared.used).toBe(71 * MIB);
  });

  it('is refused while the disk is almost full', async () => {
    const share = space(500 * MIB).open('a');
    await expect(share.take(1)).rejects.toThrow('too many large requests');
    share.release();
  });
});
