import type { Duplex } from 'node:stream';

/** Joins two connections: each direction ends for itself, and a broken one ends both. */
export function join(a: Duplex, b: Duplex): void {
  a.pipe(b);
  b.pipe(a);
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.once('error', () => other.destroy());
    one.once('close', () => {
      // What ended in order may still have bytes on their way to the other side.
      if (!one.readableEnded) other.destroy();
    });
  }
}
