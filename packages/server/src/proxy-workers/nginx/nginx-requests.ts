/** The requests that nginx before the server answers itself: what it may answer, and what it has answered. */
import { randomUUID } from 'node:crypto';
import type { Id } from '@dstack/core';
import {
  type AccessPage,
  controlOf,
  type KeptCount,
  KeptCounts,
  type KeptFiles,
  learnAddress,
  PlainEngine,
  type ProcessFigures,
  type PushedRoute,
  PushedTable,
  type TokenMark,
  type UnkeptCounts,
} from '@dstack/proxy';
import type { Logger } from '../../process/logging.ts';
import type { AvoidedReplicas } from '../../service-table/avoided-replicas.ts';
import type { PushedHost } from '../protocol.ts';
import { spoolPaths, type WorkerPaths } from '../worker-records.ts';
import type { WorkerSpools } from '../worker-spools.ts';
import { nginxControlSocket } from './server-nginx.ts';

export interface NginxRequestsOptions {
  readonly paths: WorkerPaths;
  readonly tokenMarks: readonly TokenMark[];
  readonly figures: Pick<ProcessFigures<object>, 'put' | 'ended'>;
  readonly avoided: Pick<AvoidedReplicas, 'add'>;
  readonly spools: Pick<WorkerSpools, 'deliver'>;
  /** Stores what could not be kept, without a second try. */
  readonly count: (counts: readonly KeptCount[]) => Promise<unknown>;
  /** To all workers: what nginx has stored about callers does not count any more. */
  readonly onGeneration: (generation: string) => void;
  readonly log: Logger;
}

export class NginxRequests {
  /** Under which counted requests are kept until they are stored, as those of a worker are. */
  readonly id = randomUUID();
  readonly #options: NginxRequestsOptions;
  readonly #table = new PushedTable();
  readonly #hosts = new Map<string, { readonly socket: string; readonly token: string }>();
  readonly #plain: PlainEngine;

  constructor(options: NginxRequestsOptions) {
    this.#options = options;
    const { paths, spools, figures, avoided, log } = options;
    const counts = new KeptCounts({
      ...{ dir: spoolPaths(paths.dir, this.id).counts, now: Date.now, log },
      link: {
        isAlone: false,
        ask: async (type, kept) => {
          if (type === 'count')
            return (await options.count((kept as UnkeptCounts).counts)) as never;
          return (await spools.deliver(this.id, kept as KeptFiles)) as never;
        },
      },
    });
    this.#plain = new PlainEngine({
      control: controlOf(nginxControlSocket(paths)),
      ...{ services: this.#table, hasPaths: true, keepsTotals: true, learn: learnAddress, log },
      tokenMarks: () => options.tokenMarks,
      reports: {
        count: (counted, wakes) => void counts.add(counted, wakes),
        avoided: (one) => avoided.add(one),
        figures: (changed) => figures.put(this, changed),
      },
      onRestart: () => figures.ended(this),
    });
  }

  /** nginx runs, and this server leads it. */
  start(): void {
    this.#plain.isOn = true;
    this.#plain.isOnline = true;
    // Workers of an earlier server may have got another one.
    this.#options.onGeneration(this.generation);
  }

  get generation(): string {
    return this.#plain.generation;
  }

  /** The access of a caller has changed. */
  renewGeneration(): void {
    this.#plain.renewGeneration();
    this.#options.onGeneration(this.generation);
  }

  put(route: PushedRoute<PushedHost>): void {
    this.#table.put(route);
    for (const [id, host] of Object.entries(route.hosts)) {
      // Workers reach others by SSH, or through the server.
      if (host.kind === 'socket') this.#hosts.set(id, { socket: host.path, token: host.token });
      else this.#hosts.delete(id);
    }
    const present = this.#table.hostIds;
    for (const id of this.#hosts.keys()) if (!present.has(id)) this.#hosts.delete(id);
    this.#plain.setHosts(Object.fromEntries(this.#hosts));
    this.#plain.changed();
  }

  /** Resolves when nginx sends no requests to the job any more. */
  leave(jobId: string): Promise<void> {
    return this.#plain.leave(jobId);
  }

  /** See `ProxyWorkers.access`. */
  async access(runId: Id, after: ReadonlyMap<string, number>): Promise<Map<string, AccessPage>> {
    const pages = await this.#plain.access(runId, Object.fromEntries(after)).catch(() => []);
    return new Map(
      pages.map(({ process, records, ...page }) => [
        process,
        { ...page, records: records.map((one) => ({ ...one, job_id: one.job_id ?? null })) },
      ]),
    );
  }

  /** nginx goes on without this server, and shows its totals to the next one. */
  detach(): void {
    this.#plain.close();
  }

  /** nginx has ended: its totals stay. */
  end(): void {
    this.#plain.close();
    this.#options.figures.ended(this);
  }
}
