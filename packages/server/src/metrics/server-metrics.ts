/** Counts the work of the server, for Prometheus. Created only if metrics are enabled. */

import { isRunPending } from '@dstack/contract/status';
import { type Change, type Id, SECOND, type WorkKind } from '@dstack/core';
import type { ProxiedService } from '@dstack/proxy';
import type { Store } from '@dstack/store';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { LoopObserver } from '../queues/loop-observer.ts';
import type { QueueDepth, WorkEnding } from '../queues/work-queue.ts';
import { productSeries } from './product-series.ts';
import { RunCounts } from './run-counts.ts';
import { serviceSeries } from './service-series.ts';

export type Depths = Readonly<Record<WorkKind, QueueDepth>>;

export interface ServerMetricsOptions {
  readonly store: Store;
  readonly now: () => number;
  /** The depths of the loops' queues; null before they have started. */
  readonly depths: () => Depths | null;
  /** Seconds by which this host's clock is ahead of the database's; null: there is none to compare. */
  readonly clockLead?: () => number | null;
  /** Services whose requests this server forwards. */
  readonly services?: () => Promise<readonly ProxiedService[]>;
  /** Called when an observation failed. */
  readonly onError: (error: unknown) => void;
}

/** Buckets for the time until a run has an instance, in seconds (dstack 0.22.5). */
const PROVISION_BUCKETS = [
  15, 30, 45, 60, 90, 120, 180, 240, 300, 360, 420, 480, 540, 600, 900, 1200, 1800,
];

/** Seconds of a pass: most take a few milliseconds, effects wait for networks. */
const PASS_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30];

export class ServerMetrics implements LoopObserver {
  readonly #options: ServerMetricsOptions;
  readonly #runs: RunCounts;
  readonly #registry = new Registry();
  readonly #passes: Histogram;
  readonly #provisioning: Histogram;
  readonly #pending: Counter;
  readonly #refused: Counter;

  constructor(options: ServerMetricsOptions) {
    this.#options = options;
    this.#runs = new RunCounts(options.store);
    const registers = [this.#registry];
    this.#passes = new Histogram({
      name: 'dstack_server_pass_duration_seconds',
      help: 'How long passes of the loops take, by how they end',
      labelNames: ['kind', 'ending'],
      buckets: PASS_BUCKETS,
      registers,
    });
    this.#provisioning = new Histogram({
      name: 'dstack_submit_to_provision_duration_seconds',
      help: 'Seconds from the submission of a run until it has a machine',
      labelNames: ['project_name', 'run_type'],
      buckets: PROVISION_BUCKETS,
      registers,
    });
    this.#pending = new Counter({
      name: 'dstack_pending_runs_total',
      help: 'How often runs had to wait for another attempt',
      labelNames: ['project_name', 'run_type'],
      registers,
    });
    this.#refused = new Counter({
      name: 'dstack_gateway_refused_messages_total',
      help: 'Messages of gateways about what is not behind them, and of unknown types',
      labelNames: ['dstack_project_name', 'dstack_gateway_name', 'type'],
      registers,
    });
    new Gauge({
      name: 'dstack_server_queue_depth',
      help: 'Keys of work by kind, waiting and in work',
      labelNames: ['kind', 'state'],
      registers,
      collect() {
        for (const [kind, depth] of Object.entries(options.depths() ?? {})) {
          this.set({ kind, state: 'waiting' }, depth.waiting);
          this.set({ kind, state: 'running' }, depth.running);
          this.set({ kind, state: 'delayed' }, depth.delayed);
        }
      },
    });
    new Gauge({
      name: 'dstack_server_clock_lead_seconds',
      help: "By how much the clock of the server's host is ahead of the shared database's",
      registers,
      collect() {
        const lead = options.clockLead?.() ?? null;
        if (lead !== null) this.set(lead);
      },
    });
    new Gauge({
      name: 'dstack_server_resident_memory_bytes',
      help: 'Memory of the server process',
      registers,
      collect() {
        this.set(process.memoryUsage.rss());
      },
    });
  }

  /** Adds the number of users' connections to the server's SSH entry. */
  showSshEntry(entry: { readonly connections: number }): void {
    new Gauge({
      name: 'dstack_server_ssh_entry_connections',
      help: 'Connections of users to the SSH entry of this server',
      registers: [this.#registry],
      collect() {
        this.set(entry.connections);
      },
    });
  }

  gatewayMessageRefused(
    gateway: { readonly name: string; readonly project: string },
    type: string,
  ): void {
    const { name, project } = gateway;
    this.#refused.inc({ dstack_project_name: project, dstack_gateway_name: name, type });
  }

  /** Adds the open files of the server. */
  showOpenFiles(files: { readonly open: number; readonly limit: number }): void {
    new Gauge({
      name: 'dstack_server_open_files',
      help: 'Open files and connections of the server process',
      registers: [this.#registry],
      collect() {
        this.set(files.open);
      },
    });
    new Gauge({
      name: 'dstack_server_open_files_limit',
      help: 'The most files that the server process may have open',
      registers: [this.#registry],
      collect() {
        this.set(files.limit);
      },
    });
  }

  passEnded(kind: WorkKind, ending: WorkEnding['ending'], seconds: number): void {
    this.#passes.observe({ kind, ending }, seconds);
  }

  applied(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'job.update' && change.set.provisionedAt) {
        this.#later(this.#provisioned(change.id));
      }
      if (change.type === 'run.update' && change.set.status && isRunPending(change.set.status)) {
        this.#later(this.#waits(change.id));
      }
    }
  }

  /** The text that Prometheus reads. */
  async text(): Promise<string> {
    const { store, now } = this.#options;
    const product = await productSeries(store, this.#runs, now());
    const services = serviceSeries((await this.#options.services?.()) ?? []);
    return [product, await services, await this.#registry.metrics()].join('\n');
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async #provisioned(jobId: Id): Promise<void> {
    const view = await this.#options.store.jobs.byId(jobId);
    // One observation per run, for its first job.
    if (!view || view.job.jobNum > 0 || view.job.provisionedAt === null) return;
    const waited = (view.job.provisionedAt - view.job.submittedAt) / SECOND;
    const run_type = view.run.spec.configuration.type;
    this.#provisioning.observe({ project_name: view.projectName, run_type }, waited);
  }

  async #waits(runId: Id): Promise<void> {
    const view = await this.#options.store.runs.byId(runId);
    if (!view) return;
    const run_type = view.run.spec.configuration.type;
    this.#pending.inc({ project_name: view.projectName, run_type });
  }

  /** Observing never delays the loops. */
  #later(observation: Promise<void>): void {
    observation.catch((error: unknown) => this.#options.onError(error));
  }
}
