import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type JobOutput, type OutputChunk, offsetAtSecond } from './job-output.ts';

/** Output in chunks with rising times; `start` bytes at the beginning were dropped. */
function outputOf(chunks: readonly OutputChunk[]): JobOutput {
  const last = chunks.at(-1);
  return {
    start: chunks[0]?.offset ?? 0,
    end: last ? last.offset + last.bytes.length : 0,
    async read(offset, max) {
      const chunk = chunks.find((item) => item.offset + item.bytes.length > offset);
      if (!chunk) return null;
      const from = Math.max(0, offset - chunk.offset);
      const bytes = chunk.bytes.subarray(from, from + max);
      return { offset: chunk.offset + from, time: chunk.time, bytes };
    },
    follow: () => () => {},
    ended: Promise.resolve(0),
  };
}

it('finds the first byte of a second in any output', async () => {
  const parts = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.nat(2_500_000), fc.nat(1)));
  await fc.assert(
    fc.asyncProperty(parts, fc.nat(12), async (list, second) => {
      let [offset, time] = [0, 0];
      const chunks = list.map(([length, pause, lost]) => {
        time += pause;
        const chunk = { offset: offset + lost, time, bytes: new Uint8Array(length) };
        offset = chunk.offset + length;
        return chunk;
      });
      const output = outputOf(chunks);
      const found = await offsetAtSecond(output, second);
      const expected = chunks.find((chunk) => Math.floor(chunk.time / 1_000_000) >= second);
      const next = await output.read(found, 1);
      expect(next?.offset ?? null).toBe(expected?.offset ?? null);
    }),
  );
});
