/** Effects outside the database: their announcements and results. */
import type { InstanceHandle, VolumeHandle } from './observations.ts';
import type { NoticeRecord } from './records.ts';
import type { Id, Offer, ProvisioningData, Timestamp } from './values.ts';

/**
 * An outside effect, announced in the transaction that decides it. The effect carries `key` =
 * `<kind>:<subject>:<attempt>`, by which it can be found after a crash.
 */
export interface IntentRecord {
  readonly key: string;
  readonly kind: IntentKind;
  /**
   * Id of a job, an instance, a group, a volume, a gateway replica, or of an attachment of a volume,
   * by the kind.
   */
  readonly subjectId: Id;
  readonly attempt: number;
  readonly payload: IntentPayload;
  readonly state: 'announced' | 'done' | 'failed';
  /** The outcome; written at once, in a transaction of its own. */
  readonly result: IntentResult | null;
  readonly error: string | null;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp;
}

export type IntentKind = IntentPayload['kind'];

/** An intent of one kind. */
export type IntentOf<K extends IntentKind> = Omit<IntentRecord, 'kind' | 'payload'> & {
  readonly kind: K;
  readonly payload: Extract<IntentPayload, { readonly kind: K }>;
};

export type IntentPayload =
  /** Put the job on its host; `hold` for a cluster. */
  | { readonly kind: 'job.start'; readonly hold: boolean }
  /** All addresses of a gang are known: the held job may run. */
  | { readonly kind: 'job.release' }
  | {
      readonly kind: 'job.stop';
      readonly grace: boolean;
      readonly reason: string;
      readonly message: string | null;
    }
  /** The job has to leave its host, or, with null, may stay after all. */
  | { readonly kind: 'job.notice'; readonly notice: NoticeRecord | null; readonly reason: string }
  | { readonly kind: 'job.remove'; readonly hostId: string }
  /**
   * Try the offers in order: at most `maxTries` attempts, skipped offers not counted. No offers =
   * an instance of a fleet without a job: request offers for its requirements and profile. An
   * instance that exists already (an SSH host) is adopted from its backend without an offer.
   */
  | {
      readonly kind: 'instance.create';
      readonly offers: readonly Offer[];
      readonly maxTries: number;
      readonly totalOffers: number;
      readonly asked?: OffersWhenAsked;
      /** No backend has been asked yet, so nothing can appear if the order is dropped. */
      readonly untried?: true;
    }
  /** `accepted`: the provider has begun to end it. Omitted: it has not, or that is not known. */
  | { readonly kind: 'instance.terminate'; readonly accepted?: true }
  /** `offers`: tried in order for a compute group. A placement group has a site already. */
  | {
      readonly kind: 'group.create';
      readonly offers: readonly Offer[];
      readonly maxTries: number;
      readonly totalOffers: number;
      readonly asked?: OffersWhenAsked;
    }
  | { readonly kind: 'group.delete' }
  /** The machine of a gateway replica. */
  | { readonly kind: 'gateway.create' }
  | { readonly kind: 'gateway.delete' }
  | VolumeIntentPayload;

/**
 * The number of offers that were left when the backend of the first of them was asked. That backend
 * may have created the instance, whatever it answers later, unless it has searched for it.
 */
export type OffersWhenAsked = number;

export type VolumeIntentPayload =
  /**
   * `path`: directory on a file system that the hosts of the fleet share. `begun`: a worker may have
   * created it already.
   */
  | { readonly kind: 'volume.create'; readonly path: string | null; readonly begun: boolean }
  /** Find the volume that the user made. */
  | { readonly kind: 'volume.register'; readonly externalId: string }
  | { readonly kind: 'volume.delete' }
  | { readonly kind: 'volume.attach'; readonly volumeId: Id; readonly instanceId: Id }
  | {
      readonly kind: 'volume.detach';
      readonly volumeId: Id;
      readonly instanceId: Id;
      readonly force: boolean;
    };

/** `reason` of a refused deletion: the backend was removed from the project. */
export const BACKEND_MISSING = 'backend_missing';

export type IntentResult =
  | {
      readonly kind: 'instance.created';
      /** Null if no offer was chosen; the first observation then describes the machine. */
      readonly offer: Offer | null;
      readonly handle: InstanceHandle;
      /** Null until the machine is known. */
      readonly provisioningData: ProvisioningData | null;
      readonly hostId: string;
    }
  | {
      readonly kind: 'group.created';
      readonly handle: InstanceHandle;
      /** That of each machine of a compute group. */
      readonly offer: Offer | null;
    }
  | { readonly kind: 'volume.created'; readonly handle: VolumeHandle }
  | { readonly kind: 'gateway.created'; readonly handle: InstanceHandle }
  /** `device`: path of the block device on the instance; null if it has none. */
  | { readonly kind: 'volume.attached'; readonly device: string | null }
  /** `message` contains the number of offers tried and up to three distinct errors. */
  | { readonly kind: 'no-capacity'; readonly message: string }
  | { readonly kind: 'ok' }
  /** The effect can never succeed: the reason for the job or instance, and a text for people. */
  | { readonly kind: 'refused'; readonly reason: string; readonly message: string };
