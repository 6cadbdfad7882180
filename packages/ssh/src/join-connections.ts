import type { Duplex } from 'node:stream';

/** Joins two connections. Each direction ends by itself, and an error ends both. */
export function joinConnections(a: Duplex, b: Duplex): void {
  a.pipe(b);
  b.pipe(a);
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.once('error', () => other.destroy());
    one.once('close', () => {
      // After an orderly end, bytes may still be on their way to the other side.
      if (!one.readableEnded) other.destroy();
    });
  }
}
