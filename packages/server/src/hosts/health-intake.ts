import type { HostCheck, HostHealth } from '@dstack/contract/agent';
import { isFailing, isHealthy, worstHealth } from '@dstack/contract/status';
import { formatTimestamp, type HealthEvent } from '@dstack/contract/wire';
import {
  type HostHealthRecord,
  type Id,
  LOCAL_CAPACITY,
  SECOND,
  type Signal,
  type Timestamp,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import type { AgentClient } from './agent-client.ts';
import { clockCheck, readingOfReport, readingOfRoundTrip } from './clock-check.ts';
import { isLocalHost } from './local-agent.ts';

export interface HealthIntakeOptions {
  readonly store: Pick<Store, 'hosts' | 'instances'>;
  /** Commands to the host's agent; null without a link to it. */
  readonly client: (hostId: string) => Pick<AgentClient, 'info'> | null;
  /** Seconds between two stored changes of one host. */
  readonly intervalSeconds: number;
  readonly now: () => Timestamp;
  readonly newId: () => Id;
  readonly log: Logger;
}

interface Received {
  readonly report: HostHealth;
  readonly receivedAt: number;
}

interface Intake {
  /** The newest report that has not been handled. */
  waiting: Received | null;
  isBusy: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** Unchanged results are stored again after this time, so that the history is never empty. */
const STORED_AGAIN = 24 * 3600 * SECOND;

/**
 * Stores changes in the health reports of agents. Reports of one host are handled one after
 * another; of those that arrive meanwhile, only the newest counts.
 */
export class HealthIntake {
  readonly #options: HealthIntakeOptions;
  readonly #intakes = new Map<string, Intake>();
  #closed = false;

  constructor(options: HealthIntakeOptions) {
    this.#options = options;
  }

  take(hostId: string, report: HostHealth): void {
    const intake = this.#intakes.get(hostId) ?? this.#add(hostId);
    intake.waiting = { report, receivedAt: this.#options.now() };
    if (!intake.isBusy && intake.timer === undefined) void this.#work(hostId, intake);
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#intakes.values()) clearTimeout(timer);
    this.#intakes.clear();
  }

  /** Entries of removed hosts are deleted whenever a new host reports. */
  #add(hostId: string): Intake {
    for (const [id, { isBusy, timer }] of this.#intakes) {
      const isIdle = !isBusy && timer === undefined;
      if (isIdle && this.#options.client(id) === null) this.#intakes.delete(id);
    }
    const intake: Intake = { waiting: null, isBusy: false, timer: undefined };
    this.#intakes.set(hostId, intake);
    return intake;
  }

  async #work(hostId: string, intake: Intake): Promise<void> {
    intake.isBusy = true;
    try {
      while (intake.waiting !== null && intake.timer === undefined && !this.#closed) {
        const received = intake.waiting;
        const delay = await this.#process(hostId, received);
        if (delay > 0) this.#later(hostId, intake, delay);
        else if (intake.waiting === received) intake.waiting = null;
      }
    } catch (error) {
      // The agent repeats its report.
      intake.waiting = null;
      this.#options.log.warn({ host: hostId, err: error }, 'health of a host not stored');
    } finally {
      intake.isBusy = false;
    }
  }

  #later(hostId: string, intake: Intake, delay: number): void {
    if (this.#closed) return;
    intake.timer = setTimeout(
      () => {
        intake.timer = undefined;
        void this.#work(hostId, intake);
      },
      Math.ceil(delay / 1000),
    ).unref();
  }

  /** Stores the report; returns how long it has to wait (µs) if the last one is too recent. */
  async #process(hostId: string, received: Received): Promise<number> {
    const { store, now, intervalSeconds } = this.#options;
    const before = await store.hosts.health(hostId);
    const clock = await this.#clock(hostId, received, before);
    const checks = [...received.report.checks, ...(clock ? [clock] : [])];
    const age = before === null ? STORED_AGAIN : now() - before.reportedAt;
    const isNews = before === null || JSON.stringify(checks) !== JSON.stringify(before.checks);
    if (!isNews && age < STORED_AGAIN) return 0;
    const wait = intervalSeconds * SECOND - age;
    if (wait > 0) return wait;
    await this.#save(hostId, checks, before);
    return 0;
  }

  async #save(
    hostId: string,
    checks: readonly HostCheck[],
    before: HostHealthRecord | null,
  ): Promise<void> {
    const { store, newId, now } = this.#options;
    const collectedAt = now();
    const status = statusOf(checks);
    const statusBefore = before && statusOf(before.checks);
    const since = before !== null && status === statusBefore ? before.since : collectedAt;
    const response = JSON.stringify({ events: eventsOf(checks, collectedAt), checks });
    const instances = await store.instances.onHost(hostId);
    const history = instances.map(({ id: instanceId }) => ({
      ...{ id: newId(), instanceId, status, response, collectedAt },
    }));
    const signals: Signal[] = instances.map(({ id }) => ({ kind: 'instance', id }));
    // The server's machine is capacity even without an instance.
    const wasFailing = statusBefore !== null && isFailing(statusBefore);
    if (isLocalHost(hostId) && wasFailing !== isFailing(status)) signals.push(LOCAL_CAPACITY);
    const health = { hostId, checks, since, reportedAt: collectedAt };
    await store.hosts.saveHealth(health, history, { signals });
  }

  /** Null: not known, because the agent does not send its time or cannot be asked. */
  async #clock(
    hostId: string,
    { report, receivedAt }: Received,
    before: HostHealthRecord | null,
  ): Promise<HostCheck | null> {
    const reading = readingOfReport(report.time, receivedAt) ?? (await this.#roundTrip(hostId));
    if (reading !== null) return clockCheck(reading);
    return before?.checks.find((check) => check.name === 'clock') ?? null;
  }

  async #roundTrip(hostId: string) {
    const { client, now, log } = this.#options;
    const sentAt = now();
    const info = await client(hostId)
      ?.info()
      .catch((error) => {
        log.debug({ host: hostId, err: error }, 'clock of a host not read');
        return null;
      });
    if (typeof info?.time !== 'number') return null;
    return readingOfRoundTrip(info.time, { sentAt, receivedAt: now() });
  }
}

const statusOf = (checks: readonly HostCheck[]) => worstHealth(checks.map((check) => check.status));

/** Returns the events that clients of dstack 0.22.5 list: one for each check with a finding. */
function eventsOf(checks: readonly HostCheck[], at: Timestamp): HealthEvent[] {
  const timestamp = formatTimestamp(at);
  return checks
    .filter(({ status }) => !isHealthy(status))
    .map(({ name, status, message }) => ({
      ...{ timestamp, status, message: message === null ? name : `${name}: ${message}` },
    }));
}
