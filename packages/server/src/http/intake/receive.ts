/** The bytes of a body as they come: bounded in number and time, and never in an encoding. */
import type { IncomingMessage } from 'node:http';
import { type BodyRefusal, RefusedBody } from './body-refusal.ts';
import { askForBody } from './connections.ts';

export interface ReceiveRules {
  /** Bytes; Infinity = no limit. */
  readonly limit: number;
  readonly pace: Pace;
}

/** How fast a body has to come. */
export interface Pace {
  /** Any body may take this long. */
  readonly graceMs: number;
  /** A larger one may take longer, as long as it brings so many bytes a second on the whole. */
  readonly bytesPerSecond: number;
}

/**
 * Gives every piece to `take`, one after another, and resolves behind the last one. Rejects with
 * `RefusedBody`, or with what `take` has thrown; the rest of the body is then left unread.
 */
export function receive(
  request: IncomingMessage,
  rules: ReceiveRules,
  take: (piece: Buffer) => void | Promise<void>,
): Promise<void> {
  const early = earlyRefusal(request, rules.limit);
  if (early !== null) return Promise.reject(new RefusedBody(early));
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const { graceMs, bytesPerSecond } = rules.pace;
    let received = 0;
    let timer: NodeJS.Timeout | undefined;
    const end = (error?: unknown) => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', end);
      if (error === undefined) return resolve();
      request.pause();
      reject(error);
    };
    const refuse = (refusal: BodyRefusal) => end(new RefusedBody(refusal));
    const watch = () => {
      const elapsed = performance.now() - began;
      const left = graceMs + (received / bytesPerSecond) * 1000 - elapsed;
      if (left > 0) timer = setTimeout(watch, left);
      else refuse({ kind: 'too-slow', received, seconds: Math.round(elapsed / 1000) });
    };
    const onData = (piece: Buffer) => {
      received += piece.length;
      if (received > rules.limit) {
        return refuse({ kind: 'too-large', limit: rules.limit, stated: null });
      }
      try {
        const taken = take(piece);
        if (taken === undefined) return;
        request.pause();
        taken.then(() => request.resume(), end);
      } catch (error) {
        end(error);
      }
    };
    const onEnd = () => end();
    const onClose = () => refuse({ kind: 'cut-off' });
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', end);
    timer = setTimeout(watch, graceMs);
    askForBody(request);
  });
}

function earlyRefusal(request: IncomingMessage, limit: number): BodyRefusal | null {
  const { headers } = request;
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== '' && encoding.toLowerCase() !== 'identity') {
    return { kind: 'encoded', encoding: encoding.slice(0, 40) };
  }
  const stated = Number(headers['content-length'] ?? 0);
  if (stated > limit) return { kind: 'too-large', limit, stated };
  // Its end was announced before anybody listened.
  return request.destroyed && !request.readableEnded ? { kind: 'cut-off' } : null;
}
