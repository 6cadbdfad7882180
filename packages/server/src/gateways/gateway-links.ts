import type { Duplex } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import type { GatewayCommand, GatewayFrame, GatewayPem } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import {
  certificateEvents,
  eventMessage,
  type GatewayRecord,
  type GatewayReplicaRecord,
  type GatewayReport,
  gatewayCutOffEvent,
  gatewayNotPlainEvent,
  type Id,
  type NewEvent,
} from '@dstack/core';
import type { GatewayView } from '@dstack/store';
import { avoidedReplica } from './avoided-replica.ts';
import type { FrameType } from './bound-frames.ts';
import { FrameIntake } from './frame-intake.ts';
import { FrameMeter } from './frame-meter.ts';
import { GatewayAnswers, type GatewayAsker } from './gateway-answers.ts';
import { GatewayLink, type Reported } from './gateway-link.ts';
import type { GatewayLabel, GatewayLinksOptions } from './gateway-links-options.ts';
import { reportedBy, type ShownState, withCondition, withKnown } from './gateway-state.ts';
import { GatewaySupply } from './gateway-supply.ts';
import { GatewayUpkeep } from './gateway-upkeep.ts';
import { newerCertificates } from './shared-certificates.ts';

interface Linked {
  readonly link: GatewayLink;
  readonly gatewayId: Id;
  readonly gateway: Pick<GatewayRecord, 'id' | 'name' | 'projectId'>;
  readonly supply: GatewaySupply;
  readonly asker: GatewayAsker;
  /** Events about its certificates. */
  readonly events: FrameMeter;
  /** Rejects if the replica could not be sent what it serves; messages wait for it. */
  ready: Promise<void>;
  /** Jobs that are being stopped, until the gateway reports that they have no requests. */
  readonly draining: Map<Id, () => void>;
  readonly drained: Set<Id>;
  readonly upkeep: GatewayUpkeep;
  /** It has those of the last change. */
  hasSettings: boolean;
  publicKey: string;
  reported: Reported | null;
  /** The reason for `outdated` that this server or another one stored last. */
  outdated: string | null;
  stored: ShownState | null;
}

/** If several servers share a database: how often gateways without a server are looked for. */
const FOLLOW_MS = 3000;
/** A pass of the gateway may change its record at the same time. */
const KEY_TRIES = 5;
const FORGET_MS = 60 * 60_000;
/** Per minute, about its certificates. */
const MOST_EVENTS = 100;
/** Changes of one run within this time are sent once, in milliseconds. */
const SOON_MS = 10;

/** Connections to the programs of all gateways whose hosts this server is linked to. */
export class GatewayLinks {
  readonly #options: GatewayLinksOptions;
  readonly #answers: GatewayAnswers;
  readonly #linked = new Map<Id, Linked>();
  readonly #changedRuns = new Set<Id>();
  readonly #stopListening: (() => void)[] = [];
  #timer: NodeJS.Timeout | null = null;
  #follow: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: GatewayLinksOptions) {
    this.#options = options;
    this.#answers = new GatewayAnswers(options);
  }

  async start(): Promise<void> {
    const { store } = this.#options;
    this.#stopListening.push(
      store.access.onChanged(() => {
        for (const { link } of this.#linked.values()) link.send({ type: 'access-changed' });
      }),
    );
    await this.#followAll();
    if (store.shared) this.#follow = setInterval(() => void this.#followAll(), FOLLOW_MS).unref();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#follow) clearInterval(this.#follow);
    for (const stop of this.#stopListening) stop();
    for (const { link, upkeep } of this.#linked.values()) {
      upkeep.close();
      link.close();
    }
    this.#linked.clear();
  }

  /** After a pass of the gateway: its replicas, settings or certificates may have changed. */
  changed(gatewayId: Id): void {
    void this.#followAll().then(async () => {
      for (const one of this.#linked.values()) {
        if (one.gatewayId !== gatewayId || !one.link.isOpen) continue;
        await this.#sendSettings(one).catch((error) => {
          this.#options.log.warn({ err: error }, 'a gateway did not receive its settings yet');
        });
        one.upkeep.look();
      }
    });
  }

  /** A run may have changed. */
  runChanged(runId: Id): void {
    if (this.#linked.size === 0) return;
    this.#changedRuns.add(runId);
    this.#timer ??= setTimeout(() => void this.#sendRuns(), SOON_MS);
  }

  hostConnected(hostId: string): void {
    for (const { link } of this.#linked.values()) {
      if (this.#options.hostOf(link.replica) === hostId) link.retry();
    }
  }

  /** Like `ReplicaConnections.leave`, for all gateways that send requests to the job. */
  leave(jobId: Id, whenIdle: () => void): boolean {
    let isIdle = true;
    for (const one of this.#linked.values()) {
      if (!one.supply.serves(jobId) || !one.link.isOpen || one.drained.has(jobId)) continue;
      isIdle = false;
      one.draining.set(jobId, whenIdle);
      one.link.send({ type: 'leave', job_id: jobId });
    }
    return isIdle;
  }

  async #followAll(): Promise<void> {
    const { store, log } = this.#options;
    try {
      const replicas = await store.gateways.placedReplicas();
      if (this.#closed) return;
      const linked = replicas.filter((one) => isWanted(one) || this.#isLeaving(one));
      const wanted = new Map(linked.map((one) => [one.id, one]));
      for (const [id, one] of this.#linked) {
        if (wanted.has(id)) continue;
        one.upkeep.close();
        one.link.close();
        this.#linked.delete(id);
        for (const tunnel of one.asker.carried.tunnels) tunnel.destroy();
        this.#options.requests.figures.forget(id);
        this.#options.requests.access.forget(id);
        this.#options.requests.questions.forget(id);
        await this.#options.forget(one.link.replica);
        one.supply.pushKeys();
      }
      for (const replica of wanted.values()) {
        if (this.#linked.has(replica.id) || !isWanted(replica)) continue;
        const view = await store.gateways.byId(replica.gatewayId);
        if (view && !this.#linked.has(replica.id) && !this.#closed) this.#open(replica, view);
      }
    } catch (error) {
      log.warn({ err: error }, 'the gateways could not be read');
    }
  }

  /** Clients reach its pod until others have taken its place, and its requests need the server. */
  #isLeaving(replica: GatewayReplicaRecord): boolean {
    return replica.status === 'terminating' && this.#options.isOnInstance(replica);
  }

  #open(replica: GatewayReplicaRecord, { gateway, projectName, reports }: GatewayView): void {
    const { client, isElsewhere, hostOf, observe, maintain, log } = this.#options;
    const hostId = hostOf(replica);
    const label = { name: gateway.name, project: projectName };
    const link: GatewayLink = new GatewayLink({
      replica,
      label,
      client: () => client(hostId),
      isElsewhere: () => isElsewhere(hostId),
      observe: () => observe(replica),
      onOpen: async () => {
        one.ready = this.#opened(one);
        await one.ready;
      },
      onFrame: (frame) => intake.receive(frame),
      report: (reported) => void this.#report(one, reported),
      log,
    });
    const upkeep = new GatewayUpkeep({
      maintain: () => maintain(replica),
      isOurs: () => link.isOpen,
      onLook: () => this.#looked(one),
      log,
    });
    const supply = new GatewaySupply(this.#options, gateway.id, link, Date.now);
    const signIns = this.#options.newSignIns();
    const admit = this.#options.admitBy(signIns);
    const warned = new Set<string>();
    const carried = { tunnels: new Set<Duplex>(), opening: 0, records: 0, warned };
    const one: Linked = {
      ...{ link, upkeep, gatewayId: gateway.id, gateway, supply },
      asker: { link, gateway, reach: supply.reach, admit, signIns, carried },
      events: new FrameMeter({ most: MOST_EVENTS, now: Date.now }),
      ready: Promise.resolve(),
      hasSettings: false,
      ...{ draining: new Map(), drained: new Set() },
      publicKey: replica.sshPublicKey,
      outdated: reports.find(({ replicaId }) => replicaId === replica.id)?.outdated ?? null,
      ...{ reported: null, stored: null },
    };
    const intake = this.#intakeOf(link, () => one, label);
    this.#linked.set(replica.id, one);
  }

  async #opened(one: Linked): Promise<void> {
    // Wakes the effects that wait for jobs to drain: they send `leave` again over the new link.
    for (const whenIdle of one.draining.values()) whenIdle();
    one.draining.clear();
    const { link, gatewayId } = one;
    const isOpen = () => link.isOpen;
    const { figures, access, questions } = this.#options.requests;
    figures.opened(link.replica.id, gatewayId, isOpen);
    const send = (order: GatewayCommand) => link.send(order);
    access.opened(link.replica.id, { gatewayId, isOpen, send });
    questions.opened(link.replica.id, { isOpen, send });
    await this.#sendSettings(one);
    await one.supply.sendServices();
    one.upkeep.look();
  }

  /** What could not be read is sent with the next look. */
  async #sendSettings(one: Linked): Promise<void> {
    one.hasSettings = false;
    await one.supply.sendSettings();
    one.hasSettings = true;
  }

  async #looked(one: Linked): Promise<void> {
    const { addressOf, hostOf } = this.#options;
    if (one.reported === null) return;
    const hostname = await addressOf(hostOf(one.link.replica));
    if (hostname !== one.reported.hostname || !one.hasSettings) await this.#sendSettings(one);
    await this.#report(one, { ...one.reported, hostname });
  }

  async #sendRuns(): Promise<void> {
    this.#timer = null;
    const runs = [...this.#changedRuns];
    this.#changedRuns.clear();
    for (const runId of runs) {
      try {
        await this.#sendRun(runId);
      } catch (error) {
        this.#options.log.warn({ run: runId, err: error }, 'a gateway did not receive a change');
        this.runChanged(runId);
      }
    }
  }

  async #sendRun(runId: Id): Promise<void> {
    const found = await this.#options.store.services.onGateway(runId);
    for (const { link, supply } of this.#linked.values()) {
      if (link.isOpen) await supply.sendRun(runId, found);
    }
  }

  /** The gateway has another key, or its first one. */
  async #onKey(one: Linked, publicKey: string): Promise<void> {
    const { store } = this.#options;
    for (let tries = 0; tries < KEY_TRIES; tries++) {
      const replica = await store.gateways.replicaById(one.link.replica.id);
      if (!replica) return;
      const { id, version, sshPublicKey } = replica;
      const isStored =
        sshPublicKey === publicKey ||
        (await store.gateways.updateReplica(id, version, { sshPublicKey: publicKey })) ===
          'updated';
      if (!isStored) continue;
      one.publicKey = publicKey;
      one.supply.pushKeys();
      return;
    }
  }

  /** The link is closed for a while. */
  #cutOff({ gateway, link }: Linked, type: FrameType | 'unknown'): void {
    const { log } = this.#options;
    const event = gatewayCutOffEvent(gateway, link.replica);
    const text = eventMessage(event);
    link.cutOff(text);
    log.error({ gateway: gateway.name, message: type }, text);
    this.#write(event);
  }

  #write(event: NewEvent): void {
    const { log, store } = this.#options;
    store.events.write([event]).catch((error) => {
      log.warn({ err: error }, 'an event of a gateway was not stored');
    });
  }

  #intakeOf(link: GatewayLink, one: () => Linked, label: GatewayLabel): FrameIntake {
    const { requests, onRefused, log } = this.#options;
    const { id } = link.replica;
    return new FrameIntake({
      ready: () => one().ready,
      isCurrent: () => this.#linked.get(id) === one() && link.isOpen,
      binding: () => ({
        ...{
          reach: one().supply.reach,
          files: one().supply.files,
          now: this.#options.now() / 1000,
        },
        isAsked: (kind, n) =>
          kind === 'accessed'
            ? requests.access.isAsked(id, n)
            : requests.questions.isAsked(id, kind, n),
        isDraining: (jobId) => one().draining.has(jobId),
      }),
      send: (answer) => link.send(answer),
      take: (frame) => this.#onFrame(one(), frame),
      onRefused: (type) => onRefused(label, type),
      onMisuse: (type) => this.#cutOff(one(), type),
      now: Date.now,
      log: log.child({ gateway: label.name }),
    });
  }

  /** Returns false if the message was not about the gateway's own after all. */
  async #onFrame(one: Linked, frame: GatewayFrame): Promise<boolean> {
    const { figures, access, questions } = this.#options.requests;
    const { id } = one.link.replica;
    switch (frame.type) {
      case 'status':
        await this.#onStatus(one, frame);
        if (frame.public_key !== null && frame.public_key !== one.publicKey) {
          await this.#onKey(one, frame.public_key);
        }
        return true;
      case 'idle':
        this.#drained(one, frame.job_id);
        return true;
      case 'figures':
        figures.put(id, frame.services);
        return true;
      case 'avoided':
        this.#options.requests.onAvoided(avoidedReplica(frame));
        return true;
      case 'accessed':
        access.answered(id, frame);
        return true;
      case 'log':
      case 'renewing':
        questions.answered(id, frame);
        return true;
      case 'issued':
        await this.#onIssued(one, frame.certificates);
        return true;
      case 'dns':
      case 'tunnel':
        // These may take long, and have limits of their own.
        void this.#answers.answer(one.asker, frame).catch((error) => {
          this.#options.log.warn({ err: error }, `a gateway got no answer: ${frame.type}`);
        });
        return true;
      default:
        return await this.#answers.answer(one.asker, frame);
    }
  }

  async #onIssued({ gatewayId }: Linked, offered: readonly GatewayPem[]): Promise<void> {
    const { gateways } = this.#options.store;
    const known = await gateways.issuedCertificates(gatewayId);
    const newer = newerCertificates(offered, known, this.#options.now() / 1000);
    if (newer.length > 0) await gateways.saveIssuedCertificates(gatewayId, newer);
  }

  #drained({ draining, drained }: Linked, jobId: Id): void {
    const whenIdle = draining.get(jobId);
    draining.delete(jobId);
    drained.add(jobId);
    // By then no service contains the job any more.
    setTimeout(() => drained.delete(jobId), FORGET_MS).unref();
    whenIdle?.();
  }

  async #onStatus(one: Linked, frame: Extract<GatewayFrame, { type: 'status' }>): Promise<void> {
    const { addressOf, hostOf } = this.#options;
    const hostname = await addressOf(hostOf(one.link.replica));
    await this.#report(one, reportedBy(frame, hostname));
    if (frame.not_plain && !one.events.add()) {
      this.#write(gatewayNotPlainEvent(one.gateway, one.link.replica, frame.not_plain));
    }
  }

  /** Stores only what has changed. Never rejects. */
  async #report(one: Linked, reported: Reported): Promise<void> {
    const known = withKnown(reported, one.reported);
    one.reported = known;
    // A new replica must not replace another one before it can be reached.
    if (known.state === 'ready' && !one.upkeep.hasLooked) return;
    const { stored } = one;
    const next = withCondition(known, one.upkeep.condition, one.outdated);
    one.outdated = next.outdated;
    if (isDeepStrictEqual(stored, next) || this.#closed) return;
    one.stored = next;
    const { store, now, log } = this.#options;
    const report: GatewayReport = { ...next, replicaId: one.link.replica.id, updatedAt: now() };
    const eventsOf = (before: readonly GatewayReport[]) =>
      certificateEvents(one.gateway, before, report).filter(() => !one.events.add());
    try {
      await store.gateways.saveReport(report, one.gatewayId, eventsOf);
    } catch (error) {
      one.stored = stored;
      log.warn({ err: errorMessage(error) }, 'the state of a gateway was not stored');
    }
  }
}

function isWanted({ status }: GatewayReplicaRecord): boolean {
  return status === 'provisioning' || status === 'running';
}
