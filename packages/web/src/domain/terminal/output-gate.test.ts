import { expect, it } from 'vitest';
import { OutputGate } from './output-gate.ts';

it('leaves out what the screen cannot draw in time, and reports that', () => {
  const written: string[] = [];
  const drawn: (() => void)[] = [];
  const gate = new OutputGate((data, done) => {
    written.push(typeof data === 'string' ? data : `${data.byteLength} bytes`);
    if (done) drawn.push(done);
  }, 100);
  for (const size of [60, 40, 1, 30]) gate.add(new Uint8Array(size));
  expect(written).toEqual(['60 bytes', '40 bytes']);
  for (const done of drawn.splice(0)) done();
  expect(written[2]).toContain('[0.1 MB of output were left out]');
  gate.add(new Uint8Array(500));
  expect(written.at(-1)).toBe('500 bytes');
});
