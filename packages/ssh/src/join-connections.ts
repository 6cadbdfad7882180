import type { Duplex } from 'node:stream';

/**
 * For how long an ended connection holds up the other, whose peer takes no bytes any more. Only limits of channels count
 * it meanwhile, so it must not be long.
 */
const LINGER_MS = 30_000;

/** Joins two connections. Each direction ends by itself, and an error ends both. */
export function joinConnections(a: Duplex, b: Duplex): void {
  a.pipe(b);
  b.pipe(a);
  a.once('error', () => b.destroy());
  b.once('error', () => a.destroy());
  endWith(a, b);
  endWith(b, a);
}

/**
 * Ends `to` when `from`, which is piped into it, has closed. After an orderly end of `from`, bytes may still
 * be on their way to `to`, and reach it.
 */
export function endWith(from: Duplex, to: Duplex): void {
  from.once('close', () => {
    if (to.destroyed) return;
    const leave = () => to.destroy();
    if (!from.readableEnded) return void leave();
    if (!from.writableFinished) {
      // What `to` still sends has no reader, so only bytes on their way hold it up.
      if (to.writableFinished) return void leave();
      to.once('finish', leave);
    }
    const linger = setTimeout(leave, LINGER_MS).unref();
    to.once('close', () => clearTimeout(linger));
  });
}
