import { createHash } from 'node:crypto';
import type { RegistryAuth } from '@dstack/contract';
import type { ImageConfig } from '@dstack/core';
import type { Outgoing } from '../outgoing/outgoing.ts';
import { OutgoingFailed } from '../outgoing/outgoing-error.ts';
import type { Logger } from '../process/logging.ts';
import { parseImageReference } from './image-reference.ts';
import { readImageConfig } from './registry-client.ts';

export interface ImageConfigsOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly outgoing: Outgoing;
  readonly log: Logger;
  readonly timeoutMs?: number;
}

interface Entry {
  readonly until: number;
  readonly config: Promise<ImageConfig | null>;
}

/** Milliseconds for which an answer is kept, as in dstack 0.22.5. */
const KEPT_MS = 80_000;
const MOST_ENTRIES = 2048;
/** Limit for a plan; a slower registry is not contacted again for `KEPT_MS`. */
const TIMEOUT_MS = 3000;

/**
 * Configurations of images from their registries: command, user, architectures. Null if unknown:
 * the registry may be unreachable, or the image may exist on the host only, which are both valid.
 */
export class ImageConfigs {
  readonly #options: ImageConfigsOptions;
  readonly #entries = new Map<string, Entry>();
  /** Until when registries that did not respond are not contacted again. */
  readonly #silent = new Map<string, number>();

  constructor(options: ImageConfigsOptions) {
    this.#options = options;
  }

  find(image: string, auth: RegistryAuth | null): Promise<ImageConfig | null> {
    const secret = auth ? `${auth.username}\0${auth.password}` : '';
    const key = createHash('sha256').update(`${image}\0${secret}`).digest('hex');
    const now = this.#options.now();
    const known = this.#entries.get(key);
    if (known && known.until > now) return known.config;
    const config = this.#ask(image, auth);
    this.#entries.delete(key);
    this.#entries.set(key, { until: now + KEPT_MS, config });
    forgetOldest(this.#entries);
    return config;
  }

  async #ask(image: string, auth: RegistryAuth | null): Promise<ImageConfig | null> {
    const { now, log, outgoing, timeoutMs = TIMEOUT_MS } = this.#options;
    const reference = parseImageReference(image);
    if (!reference || (this.#silent.get(reference.origin) ?? 0) > now()) return null;
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      return await readImageConfig(outgoing, reference, auth, signal);
    } catch (error) {
      if (error instanceof OutgoingFailed || signal.aborted) {
        this.#silent.delete(reference.origin);
        this.#silent.set(reference.origin, now() + KEPT_MS);
        forgetOldest(this.#silent);
      }
      log.info({ image, reason: String(error) }, 'the configuration of an image could not be read');
      return null;
    }
  }
}

/** Users choose the images, so the cache must not grow without bound. */
function forgetOldest(remembered: Map<string, unknown>): void {
  const [oldest] = remembered.keys();
  if (remembered.size > MOST_ENTRIES && oldest !== undefined) remembered.delete(oldest);
}
