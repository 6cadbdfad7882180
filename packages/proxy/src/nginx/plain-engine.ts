/** nginx as one more worker: it gets a table of what it may answer itself, and reports what it has answered. */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { AccessPages, GatewayHost } from '@dstack/contract/agent';
import type { TokenMark } from '../callers/token-marks.ts';
import type { ProxyLog } from '../log.ts';
import type { PushedTable } from '../worker/pushed-table.ts';
import { pagesOf } from './plain-access.ts';
import type { Control } from './plain-control.ts';
import { type Tick, tickOf } from './plain-counts.ts';
import { PlainReport, type PlainReports } from './plain-report.ts';
import { isPlain, plainPaths, plainTable } from './plain-table.ts';
import { askTick } from './plain-tick.ts';
import { type LearnAddress, ReplicaAddresses } from './replica-addresses.ts';
import type { RequestEngine } from './request-engine.ts';

export interface PlainEngineOptions {
  readonly control: Control;
  readonly services: Pick<PushedTable, 'all' | 'wholeHosts'>;
  /** Services are also reached by the paths of the API's origin; false by default. */
  readonly hasPaths?: boolean;
  /** See `PlainReportOptions`. */
  readonly keepsTotals?: boolean;
  readonly learn: LearnAddress;
  /** See `GatewaySettings`. */
  readonly tokenMarks: () => readonly TokenMark[];
  readonly reports: PlainReports;
  /** nginx was started again: what it has counted before stays. */
  readonly onRestart: () => void;
  readonly log: ProxyLog;
}

const TICK_MS = 1000;
/** Without the main process nginx leaves everything to the workers after so many milliseconds. */
const LEASE_MS = 5000;
/** Changes of that time are sent together. */
const GATHER_MS = 20;
/** After a job has left the table: a request that was given to it meanwhile is counted by then. */
const SETTLE_MS = 200;
/** The processes of nginx write the latest requests so soon after they were asked for. */
const PAGES_MS = 250;

export class PlainEngine implements RequestEngine {
  readonly #options: PlainEngineOptions;
  readonly #addresses: ReplicaAddresses;
  /** Jobs that are being stopped. */
  readonly #leaving = new Set<string>();
  /** See `plainTable` and `plainPaths`, by `h:<host>` and `p:<path>`; null = something has changed. */
  #table: ReadonlyMap<string, string> | null = null;
  /** The entries that nginx has, by key; null = not known. */
  #sent: Map<string, string> | null = null;
  /** Runs and jobs whose requests nginx may have counted. */
  #counted: ReadonlySet<string> = new Set();
  readonly #report: PlainReport;
  #generation: string;
  #isOnline = false;
  #timer: NodeJS.Timeout | null = null;
  #pushing: Promise<void> = Promise.resolve();
  #isOn = false;
  #isClosed = false;
  #isFailing = false;

  constructor(options: PlainEngineOptions) {
    this.#options = options;
    this.#addresses = new ReplicaAddresses({
      learn: options.learn,
      onChange: () => this.changed(),
      now: () => performance.now(),
    });
    this.#report = new PlainReport({
      services: () => options.services.all,
      keepsTotals: options.keepsTotals ?? false,
      reports: options.reports,
      onRestart: () => {
        options.onRestart();
        this.#sent = null;
      },
    });
    // Never that of an earlier process, whose workers may still answer.
    this.#generation = String(Date.now() * 1000);
    void this.#run();
  }

  /** For workers: what they answer about a caller counts until it changes. */
  get generation(): string {
    return this.#generation;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Whether nginx has the module; without it, nothing is sent. */
  set isOn(isOn: boolean) {
    if (isOn && !this.#isOn) this.#sent = null;
    this.#isOn = isOn;
    this.changed();
  }

  setHosts(hosts: Readonly<Record<string, GatewayHost>>): void {
    this.#addresses.setHosts(hosts);
  }

  /** The services or the settings have changed. */
  changed(): void {
    this.#table = null;
    if (!this.#isOn || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#push();
    }, GATHER_MS);
  }

  /** Whether there is a server. */
  set isOnline(isOnline: boolean) {
    this.#isOnline = isOnline;
    this.renewGeneration();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Answers about callers from before it no longer count. Without a server nginx knows no callers. */
  renewGeneration(): void {
    this.#generation = String(Math.max(Date.now() * 1000, Number(this.#generation) + 1));
    if (this.#isOn) void this.#push();
  }

  /** Gives the job no more requests; resolves when it answers none. */
  async leave(jobId: string): Promise<void> {
    this.#leaving.add(jobId);
    this.#table = null;
    setTimeout(() => this.#leaving.delete(jobId), FOLLOW_MS).unref();
    if (!this.#isOn) return;
    await this.#push();
    await delay(SETTLE_MS);
    while (this.#isOn && (await this.#inFlight(jobId)) > 0) await delay(SETTLE_MS);
  }

  async #inFlight(jobId: string): Promise<number> {
    const live = await this.#options.control('/live').catch(() => '');
    // A nginx that has ended answers nothing any more.
    const { inFlight } = tickOf(live);
    return sum(inFlight.filter(({ job }) => job === jobId).map(({ n }) => n));
  }

  /** Sends what has changed, one after another. */
  #push(): Promise<void> {
    this.#pushing = this.#pushing.then(() => this.#pushNow()).catch(() => {});
    return this.#pushing;
  }

  async #pushNow(): Promise<void> {
    if (!this.#isOn || this.#isClosed) return;
    const wanted = this.#wanted();
    const before = this.#sent ?? new Map<string, string>();
    const lines = [...wanted].flatMap(([key, value]) =>
      before.get(key) === value ? [] : `s\t${key}\t${value}`,
    );
    for (const key of before.keys()) if (!wanted.has(key)) lines.push(`d\t${key}`);
    const counted = this.#options.services.all.flatMap(({ route }) => [
      route.runId,
      ...route.replicas.map(({ jobId }) => jobId),
    ]);
    const present = new Set(counted);
    for (const id of this.#counted) if (!present.has(id)) lines.push(`c\t${id}`);
    const isAll = this.#sent === null;
    if (lines.length === 0 && !isAll) return;
    // After a failure it is not known what has arrived.
    this.#sent = null;
    await this.#options.control(isAll ? '/push?all' : '/push', lines.join('\n'));
    this.#sent = wanted;
    this.#counted = present;
  }

  #wanted(): Map<string, string> {
    this.#table ??= this.#newTable();
    const wanted = new Map(this.#table);
    if (this.#isOnline) wanted.set('generation', this.#generation);
    const marks = this.#options.tokenMarks().map(({ length, byte }) => `${length}:${byte}`);
    if (marks.length > 0) wanted.set('marks', marks.join(','));
    return wanted;
  }

  #newTable(): ReadonlyMap<string, string> {
    const { services, hasPaths = false } = this.#options;
    const { wholeHosts } = services;
    const byPath = hasPaths ? services.all : [];
    this.#addresses.want([...new Set([...wholeHosts.values(), ...byPath])].filter(isPlain));
    const addressOf = (jobId: string) => this.#addresses.of(jobId);
    const isLeaving = (jobId: string) => this.#leaving.has(jobId);
    const hosts = plainTable(wholeHosts, addressOf, isLeaving);
    const paths = plainPaths(byPath, addressOf, isLeaving);
    return new Map([
      ...[...hosts].map(([host, line]) => [`h:${host}`, line] as const),
      ...[...paths].map(([path, line]) => [`p:${path}`, line] as const),
    ]);
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      await delay(TICK_MS, undefined, { ref: false });
      if (!this.#isOn) continue;
      void this.#addresses.check();
      try {
        const tick = await this.#tick();
        this.#report.take(tick);
        this.#forgetEnded(tick);
        this.#isFailing = false;
      } catch (error) {
        // It is being started, or was killed: its memory is looked at again as soon as it answers.
        if (!this.#isFailing) this.#options.log.warn({ err: error }, 'nginx does not answer');
        this.#isFailing = true;
        this.#sent = null;
      }
      await this.#push();
    }
  }

  #tick(): Promise<Tick> {
    const { control, services } = this.#options;
    const seen = (runId: string) => this.#report.seen(runId);
    return askTick(control, services.all, { seen, leaseMs: LEASE_MS });
  }

  /** Requests of a process of nginx that was killed have ended with it. */
  #forgetEnded({ inFlight }: Tick): void {
    for (const pid of new Set(inFlight.map((one) => one.pid))) {
      if (existsSync(`/proc/${pid}`)) continue;
      this.#options.control(`/ended?pid=${pid}`).catch(() => {});
    }
  }

  async access(runId: string, after: Readonly<Record<string, number>>): Promise<AccessPages> {
    const { control } = this.#options;
    if (!this.#isOn) return [];
    await control(`/pages?run=${runId}`);
    await delay(PAGES_MS);
    return pagesOf(await control(`/pages?run=${runId}`), this.#report.epoch, after);
  }
}

/** By then no route contains a job that was about to be stopped. */
const FOLLOW_MS = 60_000;

const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
