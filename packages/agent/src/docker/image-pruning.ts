import type { ImagePolicy } from '@dstack/contract/agent';
import type Docker from 'dockerode';
import type { EventLogger } from '../host/log.ts';
import { engineErrorMessage, statusOf } from './engine-error.ts';
import type { ImageLedger, LedgerImage } from './image-ledger.ts';

/** When disk use exceeds the limit, images are removed until it is this much below. */
const LOW_WATER_PERCENT = 10;
/** An image that was used this recently is probably about to be used, or has just been pulled. */
const FRESH_MS = 3600_000;

export interface Pruning {
  readonly docker: Docker;
  readonly ledger: ImageLedger;
  readonly policy: ImagePolicy;
  /** References that are never removed. */
  readonly kept: ReadonlySet<string>;
  /** Use of the disk in percent; null = unknown. */
  readonly diskUse: () => number | null;
  readonly now: number;
  readonly log: EventLogger;
  /**
   * A pull has just failed because the disk is full: act as if the limit were reached, and remove
   * recently used images too.
   */
  readonly desperate?: boolean;
}

/** Removes images by the policy. Returns the keys of the removed ones. */
export async function pruneImages(pruning: Pruning): Promise<readonly string[]> {
  const { docker, ledger, policy, now, desperate = false } = pruning;
  const { disk_high_percent: high, unused_for: seconds } = policy;
  const candidates = ledger.images.filter(
    (image) => !pruning.kept.has(image.key) && (desperate || now - image.lastUsed >= FRESH_MS),
  );
  const old = (image: LedgerImage): boolean =>
    seconds !== null && now - image.lastUsed >= seconds * 1000;
  const isAbove = (mark: number): boolean => (pruning.diskUse() ?? 0) >= mark;
  const full = desperate || (high !== null && isAbove(high));
  const wanted = candidates.filter((image) => full || old(image));
  if (wanted.length === 0) return [];
  const used = await usedIds(docker);
  const removed: string[] = [];
  for (const image of wanted) {
    const needed = old(image) || desperate || isAbove((high ?? 100) - LOW_WATER_PERCENT);
    if (!needed || used.has(image.id)) continue;
    if (await remove(pruning, image)) removed.push(image.key);
  }
  return removed;
}

/** Images of all containers, ended ones too: their output may still be read. */
async function usedIds(docker: Docker): Promise<ReadonlySet<string>> {
  const containers = await docker.listContainers({ all: true });
  return new Set(containers.map((container) => container.ImageID));
}

async function remove(
  { docker, ledger, log }: Pruning,
  { key }: { readonly key: string },
): Promise<boolean> {
  try {
    await docker.getImage(key).remove();
    log.info('image removed', { image: key });
  } catch (error) {
    // 409: another name or a foreign container still uses it.
    if (statusOf(error) !== 404) {
      log.info('an image could not be removed', { image: key, why: engineErrorMessage(error) });
      if (statusOf(error) !== 409) return false;
    }
  }
  ledger.forget(key);
  return true;
}
