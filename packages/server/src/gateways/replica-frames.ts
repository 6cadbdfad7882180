import type { GatewayFrame, GatewayPem } from '@dstack/contract/agent';
import { eventMessage, gatewayCutOffEvent } from '@dstack/core';
import { avoidedReplica } from './avoided-replica.ts';
import type { FrameType } from './bound-frames.ts';
import type { DrainingJobs } from './draining-jobs.ts';
import { FrameIntake } from './frame-intake.ts';
import type { AskerGateway, GatewayAnswers, GatewayAsker } from './gateway-answers.ts';
import { writeGatewayEvent } from './gateway-events.ts';
import type { GatewayLink } from './gateway-link.ts';
import type { GatewayLabel, GatewayLinksOptions } from './gateway-links-options.ts';
import { reportedBy } from './gateway-state.ts';
import type { GatewaySupply } from './gateway-supply.ts';
import type { ReplicaReport } from './replica-report.ts';
import { newerCertificates } from './shared-certificates.ts';

/** The replica whose messages are received. */
export interface FrameSource {
  readonly link: GatewayLink;
  readonly label: GatewayLabel;
  readonly gateway: AskerGateway;
  readonly supply: Pick<GatewaySupply, 'reach' | 'files' | 'pushKeys'>;
  readonly asker: GatewayAsker;
  readonly draining: Pick<DrainingJobs, 'isDraining' | 'drained'>;
  readonly report: Pick<ReplicaReport, 'store' | 'notPlain'>;
  /** Rejects if the replica could not be sent what it serves; messages wait for it. */
  readonly ready: () => Promise<void>;
  /** Whether the link is still that of a replica that serves. */
  readonly isCurrent: () => boolean;
}

type FramesOptions = Pick<
  GatewayLinksOptions,
  'store' | 'requests' | 'hostOf' | 'addressOf' | 'onRefused' | 'now' | 'log'
>;

/** A pass of the gateway may change its record at the same time. */
const KEY_TRIES = 5;

/** Obeys and answers the messages of one replica. */
export class ReplicaFrames {
  readonly #options: FramesOptions;
  readonly #answers: GatewayAnswers;
  readonly #source: FrameSource;
  readonly #intake: FrameIntake;
  #publicKey: string;

  constructor(options: FramesOptions, answers: GatewayAnswers, source: FrameSource) {
    this.#options = options;
    this.#answers = answers;
    this.#source = source;
    this.#publicKey = source.link.replica.sshPublicKey;
    this.#intake = this.#newIntake();
  }

  /** See `FrameIntake.receive`. */
  receive(frame: GatewayFrame | null): Promise<void> {
    return this.#intake.receive(frame);
  }

  #newIntake(): FrameIntake {
    const { requests, onRefused, log } = this.#options;
    const { link, label, supply, draining, ready, isCurrent } = this.#source;
    const { id } = link.replica;
    return new FrameIntake({
      ...{ ready, isCurrent },
      binding: () => ({
        ...{ reach: supply.reach, files: supply.files, now: this.#options.now() / 1000 },
        isAsked: (kind, n) =>
          kind === 'accessed'
            ? requests.access.isAsked(id, n)
            : requests.questions.isAsked(id, kind, n),
        isDraining: (jobId) => draining.isDraining(jobId),
      }),
      send: (answer) => link.send(answer),
      take: (frame) => this.#take(frame),
      onRefused: (type) => onRefused(label, type),
      onMisuse: (type) => this.#cutOff(type),
      now: Date.now,
      log: log.child({ gateway: label.name }),
    });
  }

  /** Returns false if the message was not about the gateway's own after all. */
  async #take(frame: GatewayFrame): Promise<boolean> {
    const { figures, access, questions, onAvoided } = this.#options.requests;
    const { link, asker, draining } = this.#source;
    const { id } = link.replica;
    switch (frame.type) {
      case 'status':
        await this.#onStatus(frame);
        return true;
      case 'idle':
        draining.drained(frame.job_id);
        return true;
      case 'figures':
        figures.put(id, frame.services);
        return true;
      case 'avoided':
        onAvoided(avoidedReplica(frame));
        return true;
      case 'accessed':
        access.answered(id, frame);
        return true;
      case 'log':
      case 'renewing':
        questions.answered(id, frame);
        return true;
      case 'issued':
        await this.#onIssued(frame.certificates);
        return true;
      case 'dns':
      case 'tunnel':
        // These may take long, and have limits of their own.
        void this.#answers.answer(asker, frame).catch((error) => {
          this.#options.log.warn({ err: error }, `a gateway got no answer: ${frame.type}`);
        });
        return true;
      default:
        return await this.#answers.answer(asker, frame);
    }
  }

  async #onStatus(frame: Extract<GatewayFrame, { type: 'status' }>): Promise<void> {
    const { addressOf, hostOf } = this.#options;
    const { link, report } = this.#source;
    const hostname = await addressOf(hostOf(link.replica));
    await report.store(reportedBy(frame, hostname));
    if (frame.not_plain) report.notPlain(frame.not_plain);
    if (frame.public_key !== null && frame.public_key !== this.#publicKey) {
      await this.#onKey(frame.public_key);
    }
  }

  /** The gateway has another key, or its first one. */
  async #onKey(publicKey: string): Promise<void> {
    const { gateways } = this.#options.store;
    const { link, supply } = this.#source;
    for (let tries = 0; tries < KEY_TRIES; tries++) {
      const replica = await gateways.replicaById(link.replica.id);
      if (!replica) return;
      const { id, version, sshPublicKey } = replica;
      const isStored =
        sshPublicKey === publicKey ||
        (await gateways.updateReplica(id, version, { sshPublicKey: publicKey })) === 'updated';
      if (!isStored) continue;
      this.#publicKey = publicKey;
      supply.pushKeys();
      return;
    }
  }

  async #onIssued(offered: readonly GatewayPem[]): Promise<void> {
    const { gateways } = this.#options.store;
    const { id } = this.#source.gateway;
    const known = await gateways.issuedCertificates(id);
    const newer = newerCertificates(offered, known, this.#options.now() / 1000);
    if (newer.length > 0) await gateways.saveIssuedCertificates(id, newer);
  }

  /** The link is closed for a while. */
  #cutOff(type: FrameType | 'unknown'): void {
    const { gateway, link } = this.#source;
    const event = gatewayCutOffEvent(gateway, link.replica);
    const text = eventMessage(event);
    link.cutOff(text);
    this.#options.log.error({ gateway: gateway.name, message: type }, text);
    writeGatewayEvent(this.#options, event);
  }
}
