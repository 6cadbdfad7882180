import type { Duplex } from 'node:stream';
import type { GatewayCommand } from '@dstack/contract/agent';
import type { GatewayReplicaRecord, Id } from '@dstack/core';
import type { GatewayView, ServiceView } from '@dstack/store';
import { DrainingJobs } from './draining-jobs.ts';
import type { GatewayAnswers, GatewayAsker } from './gateway-answers.ts';
import { GatewayLink } from './gateway-link.ts';
import type { GatewayLabel, GatewayLinksOptions } from './gateway-links-options.ts';
import { GatewaySupply } from './gateway-supply.ts';
import { GatewayUpkeep } from './gateway-upkeep.ts';
import { ReplicaFrames } from './replica-frames.ts';
import { ReplicaReport } from './replica-report.ts';

export interface LinkedReplicaOptions {
  /** Those of all links. */
  readonly links: GatewayLinksOptions;
  readonly answers: GatewayAnswers;
  /** Whether the replica serves, by this link. */
  readonly isServing: (one: LinkedReplica) => boolean;
  /** The server is ending. */
  readonly isClosed: () => boolean;
}

/** One replica of a gateway while this server is linked to its host: its link, and what passes over it. */
export class LinkedReplica {
  readonly gatewayId: Id;
  readonly #options: GatewayLinksOptions;
  readonly #link: GatewayLink;
  readonly #supply: GatewaySupply;
  readonly #upkeep: GatewayUpkeep;
  readonly #asker: GatewayAsker;
  readonly #report: ReplicaReport;
  readonly #draining = new DrainingJobs();
  #ready: Promise<void> = Promise.resolve();
  /** It has those of the last change. */
  #hasSettings = false;

  constructor(
    { links, answers, isServing, isClosed }: LinkedReplicaOptions,
    replica: GatewayReplicaRecord,
    { gateway, projectName, reports }: GatewayView,
  ) {
    const { store, now, log } = links;
    const label = { name: gateway.name, project: projectName };
    this.#options = links;
    this.gatewayId = gateway.id;
    const link = this.#newLink(replica, label, () => frames);
    this.#link = link;
    this.#upkeep = new GatewayUpkeep({
      maintain: () => links.maintain(replica),
      isOurs: () => link.isOpen,
      onLook: () => this.#looked(),
      log,
    });
    this.#supply = new GatewaySupply(links, gateway.id, link, Date.now);
    const signIns = links.newSignIns();
    const admit = links.admitBy(signIns);
    const warned = new Set<string>();
    const carried = { tunnels: new Set<Duplex>(), opening: 0, records: 0, warned };
    const { reach } = this.#supply;
    this.#asker = { link, gateway, reach, admit, signIns, carried };
    this.#report = new ReplicaReport({
      ...{ store, gateway, replica, upkeep: this.#upkeep, isClosed, now, log },
      outdated: reports.find(({ replicaId }) => replicaId === replica.id)?.outdated ?? null,
    });
    const frames = new ReplicaFrames(links, answers, {
      ...{ link, label, gateway, supply: this.#supply, asker: this.#asker },
      ...{ draining: this.#draining, report: this.#report },
      ready: () => this.#ready,
      isCurrent: () => isServing(this) && link.isOpen,
    });
  }

  get replica(): GatewayReplicaRecord {
    return this.#link.replica;
  }

  get isOpen(): boolean {
    return this.#link.isOpen;
  }

  send(order: GatewayCommand): void {
    this.#link.send(order);
  }

  /** Connects at once: the host has connected. */
  retry(): void {
    this.#link.retry();
  }

  /** Sends the settings of the last change, and looks whether they hold. */
  async settingsChanged(): Promise<void> {
    await this.#sendSettings().catch((error) => {
      this.#options.log.warn({ err: error }, 'a gateway did not receive its settings yet');
    });
    this.#upkeep.look();
  }

  /** See `GatewaySupply.sendRun`. */
  sendRun(runId: Id, found: ServiceView | null): Promise<void> {
    return this.#supply.sendRun(runId, found);
  }

  /** Like `ReplicaConnections.leave`. */
  leave(jobId: Id, whenIdle: () => void): boolean {
    if (!this.#supply.serves(jobId) || !this.isOpen || this.#draining.isDrained(jobId)) return true;
    this.#draining.begin(jobId, whenIdle);
    this.send({ type: 'leave', job_id: jobId });
    return false;
  }

  close(): void {
    this.#upkeep.close();
    this.#link.close();
  }

  /** After `close`: the replica has ended, and with it what was done for it. */
  async forget(): Promise<void> {
    const { figures, access, questions } = this.#options.requests;
    const { id } = this.replica;
    for (const tunnel of this.#asker.carried.tunnels) tunnel.destroy();
    figures.forget(id);
    access.forget(id);
    questions.forget(id);
    await this.#options.forget(this.replica);
    this.#supply.pushKeys();
  }

  #newLink(
    replica: GatewayReplicaRecord,
    label: GatewayLabel,
    frames: () => ReplicaFrames,
  ): GatewayLink {
    const { client, isElsewhere, hostOf, observe, log } = this.#options;
    const hostId = hostOf(replica);
    return new GatewayLink({
      replica,
      label,
      client: () => client(hostId),
      isElsewhere: () => isElsewhere(hostId),
      observe: () => observe(replica),
      onOpen: async () => {
        this.#ready = this.#opened();
        await this.#ready;
      },
      onFrame: (frame) => frames().receive(frame),
      report: (reported) => void this.#report.store(reported),
      log,
    });
  }

  async #opened(): Promise<void> {
    this.#draining.reconnected();
    const { gatewayId } = this;
    const { id } = this.replica;
    const isOpen = () => this.isOpen;
    const { figures, access, questions } = this.#options.requests;
    figures.opened(id, gatewayId, isOpen);
    const send = (order: GatewayCommand) => this.send(order);
    access.opened(id, { gatewayId, isOpen, send });
    questions.opened(id, { isOpen, send });
    await this.#sendSettings();
    await this.#supply.sendServices();
    this.#upkeep.look();
  }

  /** Settings that could not be read are sent with the next look. */
  async #sendSettings(): Promise<void> {
    this.#hasSettings = false;
    await this.#supply.sendSettings();
    this.#hasSettings = true;
  }

  async #looked(): Promise<void> {
    const { addressOf, hostOf } = this.#options;
    if (this.#report.last === null) return;
    const hostname = await addressOf(hostOf(this.replica));
    if (hostname !== this.#report.last.hostname || !this.#hasSettings) await this.#sendSettings();
    await this.#report.store({ ...this.#report.last, hostname });
  }
}
