import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { ImagePlan } from '@dstack/contract/agent';
import type Docker from 'dockerode';
import { writeWhole } from '../host/durable-file.ts';
import type { EventLogger } from '../host/log.ts';
import { engineErrorMessage } from './engine-error.ts';
import { hostFaultOf } from './host-caused.ts';
import { ImageLedger } from './image-ledger.ts';
import { withTag } from './image-name.ts';
import { pruneImages } from './image-pruning.ts';
import { ensureImage, hasImage, type PullRequest } from './image-pull.ts';

export interface ImageStoreOptions {
  readonly docker: Docker;
  readonly stateDir: string;
  readonly imagesDir: string;
  readonly log: EventLogger;
}

const LOOK_MS = 5 * 60_000;
/** Applies until a server sends a policy. */
const FIRST_PLAN: ImagePlan = { wanted: [], policy: { disk_high_percent: 90, unused_for: null } };

/**
 * The images that this agent manages on the host. It pulls the images of jobs, pulls images ahead
 * that jobs may need soon while no job waits, and removes unused images by the server's policy.
 */
export class ImageStore {
  readonly #options: ImageStoreOptions;
  readonly #ledger: ImageLedger;
  /** References by the job that needs them, from the pull to the job's removal. */
  readonly #needed = new Map<string, string>();
  readonly #timer: NodeJS.Timeout;
  readonly #closing = new AbortController();
  #plan: ImagePlan;
  #pulling = 0;
  #fetching = false;
  #pruning: Promise<unknown> = Promise.resolve();

  constructor(options: ImageStoreOptions) {
    this.#options = options;
    const { stateDir, log } = options;
    this.#ledger = new ImageLedger(join(stateDir, 'pulled-images.json'), log);
    this.#plan = { ...FIRST_PLAN, ...readPlan(this.#policyFile, log) };
    this.#timer = setInterval(() => this.#prune(), LOOK_MS);
    this.#timer.unref();
  }

  /** Pulls the image of a job and keeps it until `release`. Throws as `ensureImage` does. */
  async ensure(jobId: string, request: PullRequest): Promise<void> {
    this.#needed.set(jobId, withTag(request.image));
    this.#pulling += 1;
    try {
      await this.#bring(request).catch(async (error) => {
        if (!isDiskFull(error)) throw error;
        const removed = await this.#prune(true);
        if (removed.length === 0) throw error;
        await this.#bring(request);
      });
    } finally {
      this.#pulling -= 1;
    }
    this.#prune();
    void this.#fetchWanted();
  }

  release(jobId: string): void {
    const reference = this.#needed.get(jobId);
    this.#needed.delete(jobId);
    if (reference !== undefined) this.#ledger.used(reference, Date.now());
  }

  plan(plan: ImagePlan): void {
    this.#plan = plan;
    // Without the wanted images: they come with credentials, and the server sends them again.
    writeWhole(this.#policyFile, JSON.stringify({ policy: plan.policy }));
    this.#prune();
    void this.#fetchWanted();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#closing.abort();
  }

  async #bring(request: PullRequest): Promise<void> {
    const { docker, log } = this.#options;
    const reference = withTag(request.image);
    const outcome = await ensureImage(docker, request, log);
    if (outcome === 'new' || (outcome === 'renewed' && this.#ledger.has(reference))) {
      const { Id } = await docker.getImage(reference).inspect();
      this.#ledger.pulled(reference, Id, Date.now());
    } else {
      this.#ledger.used(reference, Date.now());
    }
  }

  /** One at a time, and only while no job needs the network and the disk. */
  async #fetchWanted(): Promise<void> {
    if (this.#fetching) return;
    this.#fetching = true;
    const { docker, log } = this.#options;
    try {
      for (const { image, auth } of this.#plan.wanted) {
        const { signal } = this.#closing;
        if (this.#pulling > 0 || signal.aborted || this.#isNearlyFull()) return;
        if (await hasImage(docker, withTag(image))) continue;
        log.info('pulling an image ahead', { image });
        await this.#bring({ image, auth, signal, onProgress: () => {} });
        log.info('image pulled ahead', { image });
      }
    } catch (error) {
      // A job that needs the image will report the error. The next plan tries again.
      log.info('an image could not be pulled ahead', { why: engineErrorMessage(error) });
    } finally {
      this.#fetching = false;
    }
  }

  #isNearlyFull(): boolean {
    const high = this.#plan.policy.disk_high_percent;
    return high !== null && (this.#diskUse() ?? 0) >= high;
  }

  /** One at a time. A failure is logged, and the next occasion tries again. */
  #prune(desperate = false): Promise<readonly string[]> {
    const round = this.#pruning.then(async () => {
      const wanted = this.#plan.wanted.map(({ image }) => withTag(image));
      const pruning = {
        docker: this.#options.docker,
        log: this.#options.log,
        ledger: this.#ledger,
        policy: this.#plan.policy,
        kept: new Set([...this.#needed.values(), ...(desperate ? [] : wanted)]),
        diskUse: () => this.#diskUse(),
        now: Date.now(),
        desperate,
      };
      return await pruneImages(pruning).catch((error): readonly string[] => {
        this.#options.log.error('removing images failed', error);
        return [];
      });
    });
    this.#pruning = round;
    return round;
  }

  get #policyFile(): string {
    return join(this.#options.stateDir, 'image-policy.json');
  }

  #diskUse(): number | null {
    try {
      const { blocks, bavail } = statfsSync(this.#options.imagesDir);
      return blocks === 0 ? null : 100 * (1 - bavail / blocks);
    } catch {
      // The daemon's directory is not readable here, for example because the daemon is remote.
      return null;
    }
  }
}

function readPlan(path: string, log: EventLogger): Partial<ImagePlan> {
  if (!existsSync(path)) return {};
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    log.error('the policy for images is unreadable', error, { path });
    return {};
  }
}

function isDiskFull(error: unknown): boolean {
  return hostFaultOf(error) === 'no_space';
}
