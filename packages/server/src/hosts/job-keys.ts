import type { JobKeys as KeysOfJobs } from '@dstack/contract/agent';
import type { AccessSubject, Store } from '@dstack/store';
import type { Logger } from '../logging.ts';
import { type AgentClient, AgentRefusal } from './agent-client.ts';
import { keysOfRun } from './run-keys.ts';

export interface JobKeysOptions {
  readonly store: Pick<Store, 'access' | 'jobs' | 'users' | 'projects'>;
  /** Hosts that this server has a link to. */
  readonly hosts: () => readonly string[];
  readonly client: (hostId: string) => Pick<AgentClient, 'replaceKeys'> | null;
  readonly log: Logger;
  /** Milliseconds until a push that failed is tried again; doubled each time. */
  readonly retryMs?: number;
}

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 60_000;

/**
 * Keeps the keys that open jobs what they are in the database: agents get all keys of their host's
 * jobs when a link is made, and again whenever the access of one of their owners changes. Pushes to
 * one host follow each other, so an older one never arrives last.
 */
export class JobKeys {
  readonly #options: JobKeysOptions;
  readonly #unlisten: () => void;
  /** Hosts that are being told; `again` = something has changed since that was read. */
  readonly #busy = new Map<string, { again: boolean }>();
  readonly #retries = new Map<string, { readonly timer: NodeJS.Timeout; readonly delay: number }>();

  constructor(options: JobKeysOptions) {
    this.#options = options;
    this.#unlisten = options.store.access.onChanged((subject) => {
      this.#accessChanged(subject).catch((error) => {
        options.log.warn({ err: error }, 'hosts of changed keys not found, all hosts get theirs');
        this.#pushAll();
      });
    });
  }

  close(): void {
    this.#unlisten();
    for (const { timer } of this.#retries.values()) clearTimeout(timer);
    this.#retries.clear();
  }

  /** The host's agent gets the keys of all its jobs, as they are from now on. */
  push(hostId: string): void {
    const busy = this.#busy.get(hostId);
    if (busy) busy.again = true;
    else void this.#pushUntilDone(hostId);
  }

  async #accessChanged(subject: AccessSubject | null): Promise<void> {
    if (subject === null) return this.#pushAll();
    const linked = new Set(this.#options.hosts());
    const concerned = await this.#options.store.jobs.hostsOf(subject);
    for (const hostId of concerned) if (linked.has(hostId)) this.push(hostId);
  }

  #pushAll(): void {
    for (const hostId of this.#options.hosts()) this.push(hostId);
  }

  async #pushUntilDone(hostId: string): Promise<void> {
    const busy = { again: true };
    this.#busy.set(hostId, busy);
    try {
      while (busy.again) {
        busy.again = false;
        await this.#pushOnce(hostId);
      }
      this.#forgetRetry(hostId);
    } catch (error) {
      this.#failed(hostId, error);
    } finally {
      this.#busy.delete(hostId);
    }
  }

  async #pushOnce(hostId: string): Promise<void> {
    const views = await this.#options.store.jobs.viewsOnHost(hostId);
    const keys = views.map(
      async ({ job, run }) => [job.id, await keysOfRun(this.#options.store, run)] as const,
    );
    const jobs: KeysOfJobs['jobs'] = Object.fromEntries(await Promise.all(keys));
    // Without a link there is nobody to tell: the next one begins with all keys.
    if (views.length > 0) await this.#options.client(hostId)?.replaceKeys({ jobs });
  }

  #failed(hostId: string, error: unknown): void {
    const { log, client, retryMs } = this.#options;
    // An agent that cannot replace keys; its jobs keep those that they were started with.
    if (error instanceof AgentRefusal && error.status === 404) return;
    log.warn({ host: hostId, err: error }, 'keys of jobs not replaced');
    const { delay = retryMs ?? FIRST_RETRY_MS } = this.#retries.get(hostId) ?? {};
    this.#forgetRetry(hostId);
    if (client(hostId) === null) return;
    const timer = setTimeout(() => this.push(hostId), delay).unref();
    this.#retries.set(hostId, { timer, delay: Math.min(delay * 2, LAST_RETRY_MS) });
  }

  #forgetRetry(hostId: string): void {
    clearTimeout(this.#retries.get(hostId)?.timer);
    this.#retries.delete(hostId);
  }
}
