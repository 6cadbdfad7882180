import type { ImagePlan } from '@dstack/contract/agent';
import { isServerHost, type JobRecord, SECOND, type Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';
import { imageName, registryAuth } from '../effects/agent-job-spec.ts';
import { JobSpecError } from '../effects/named-secrets.ts';
import { type AgentClient, AgentRefusal } from '../hosts/agent-client.ts';
import type { Logger } from '../process/logging.ts';

export interface ImagePlanSettings {
  /** Images of a fleet's latest runs that its hosts fetch before a run asks for them; 0 = none. */
  readonly fetchedAhead: number;
  readonly policy: ImagePlan['policy'];
}

export interface ImagePlansOptions {
  readonly store: Pick<Store, 'jobs' | 'instances' | 'secrets'>;
  readonly settings: ImagePlanSettings;
  readonly defaultRegistry: string | null;
  /** Hosts that this server has a link to. */
  readonly hosts: () => readonly string[];
  readonly client: (hostId: string) => AgentClient | null;
  readonly now: () => Timestamp;
  readonly log: Logger;
}

const ROUND_MS = 600_000;
/** Older runs do not predict the next ones. */
const RECENT_SECONDS = 7 * 24 * 3600;
/** The number of jobs whose images are read; many of them have the same. */
const LOOKED_AT = 100;

/**
 * Sends hosts the policy for removing images and, for instances of a fleet, the images that they
 * will probably need: those of the fleet's latest runs. A hint without an intent: it starts nothing
 * that costs money or has to be undone, and it is sent again every ten minutes.
 */
export class ImagePlans {
  readonly #options: ImagePlansOptions;
  readonly #timer: NodeJS.Timeout;

  constructor(options: ImagePlansOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      for (const hostId of options.hosts()) this.onHostConnected(hostId);
    }, ROUND_MS);
    this.#timer.unref();
  }

  /** A host has connected, perhaps for the first time. */
  onHostConnected(hostId: string): void {
    this.#send(hostId).catch((error) => {
      // The agent does not support the request, or has just disconnected: the next round sends it
      // again.
      if (error instanceof AgentRefusal && error.status === 404) return;
      this.#options.log.debug({ host: hostId, err: error }, 'images of a host not planned');
    });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #send(hostId: string): Promise<void> {
    const { client, settings } = this.#options;
    const wanted = settings.fetchedAhead > 0 ? await this.#wanted(hostId) : [];
    await client(hostId)?.planImages({ wanted, policy: settings.policy });
  }

  async #wanted(hostId: string): Promise<ImagePlan['wanted']> {
    const { store, settings, now } = this.#options;
    const instances = await store.instances.onHost(hostId);
    // The server host has the images that ran there before, and it is the only one of its kind.
    const fleets = new Set(
      instances.filter((each) => !isServerHost(each.backend)).map((each) => each.fleetId),
    );
    const since = now() - RECENT_SECONDS * SECOND;
    const found = new Map<string, ImagePlan['wanted'][number]>();
    for (const fleetId of fleets) {
      for (const job of await store.jobs.recentInFleet(fleetId, since, LOOKED_AT)) {
        if (found.size >= settings.fetchedAhead) break;
        const image = imageName(job.spec, this.#options.defaultRegistry);
        if (!found.has(image)) found.set(image, { image, auth: await this.#auth(job) });
      }
    }
    return [...found.values()];
  }

  async #auth(job: JobRecord): Promise<ImagePlan['wanted'][number]['auth']> {
    try {
      return registryAuth(job.spec, await this.#options.store.secrets.values(job.projectId));
    } catch (error) {
      // The secret was deleted meanwhile; perhaps the image needs no credentials by now.
      if (error instanceof JobSpecError) return null;
      throw error;
    }
  }
}
