/** Vast.ai as a provider of containers: each of its instances is the container of one job, on the machine of some host. */
import { plainText } from '@dstack/contract';
import { splitImageName } from '@dstack/contract/image-name';
import type { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { packedScript } from '../base/container-cloud/packed-script.ts';
import { tagsAsVariables, tagsFromVariables } from '../base/container-cloud/tags.ts';
import { tried } from '../base/container-cloud/tried.ts';
import {
  NoAnswerError,
  NoCapacityError,
  RefusedOrderError,
  SkipOfferError,
} from '../base/errors.ts';
import { OWNER_TAGS } from '../base/owner-tags.ts';
import type { CheckResult, Claims } from '../base/port.ts';
import { keyClaims } from '../base/rest-vm/key-claims.ts';
import { KEY_TAG } from '../base/rest-vm/names.ts';
import type { Vm, VmContainer, VmOrder, VmPhase, WholeCloud } from '../base/rest-vm/vm-cloud.ts';
import type { AccountKey, Contract, NewContract, VastaiApi } from './api.ts';
import {
  askDataOf,
  gpusOf,
  isGoodEnough,
  quantityOf,
  rankedByScore,
  regionOf,
  searchQuery,
  shareOf,
  vastaiOffers,
  withDisk,
  withDiskOf,
} from './offers.ts';
import type { TakenAsks } from './taken-asks.ts';

export interface VastaiOptions {
  readonly api: VastaiApi;
  /** Countries (`us`) or parts of them (`us-california`), from the configuration; null = all. */
  readonly regions: readonly string[] | null;
  /** Whether machines outside of data centres are offered too. */
  readonly hasCommunity: boolean;
  readonly taken: TakenAsks;
}

/** Those of containers, and of contracts where they say more. */
const STATUSES: Readonly<Record<string, VmPhase>> = {
  running: 'ready',
  // Their disks cost money until they are destroyed.
  exited: 'broken',
  stopped: 'broken',
  'create failed': 'broken',
  outbid: 'reclaimed',
  unloaded: 'ended',
};

const MIB_PER_GB = 1024;
/** Characters of the program and its arguments together. */
const LONGEST_COMMAND = 4096;
const LONGEST_VALUE = 256;
/** A word without a meaning of its own in the form `-u <user> -p <password> <registry>`. */
const PLAIN = /^(?!-)[^\s'"\\`$;&|<>()#*?[\]{}~]+$/;
const CREATE_FAILED = ': OCI runtime create failed:';
/** The offer that was ordered. */
const OFFER_TAG = 'dstack-offer';
const KEPT_TAGS = new Set<string>([...Object.values(OWNER_TAGS), KEY_TAG]);
const CLAIM = /^dstack-claim:/;
const SHOWN = 300;
const ID = /^\d+$/;

export class Vastai implements WholeCloud {
  readonly type = 'vastai';
  readonly title = 'Vast.ai';
  readonly loginUser = 'root';
  readonly statuses = STATUSES;
  readonly lateMs = 30_000;
  readonly claims: Claims;
  readonly #options: VastaiOptions;

  constructor(options: VastaiOptions) {
    this.#options = options;
    const { api } = options;
    this.claims = keyClaims({
      title: this.title,
      list: async () => {
        const { keys, time } = await api.keys();
        return { time, keys: keys.map(namedKey) };
      },
      add: (_, publicKey) => api.addKey(publicKey),
      remove: (id) => api.removeKey(id),
    });
  }

  async list(): Promise<readonly Vm[]> {
    const contracts = await this.#options.api.contracts();
    // One that is left out would seem to be missing.
    return contracts.filter((one) => ID.test(String(one?.id))).map(vmOf);
  }

  async create({ name, offer, tags, container, signal }: VmOrder): Promise<string> {
    const { api, taken } = this.#options;
    if (!container) throw new SkipOfferError('Vast.ai needs a job to run');
    const ask = offer.instance.name;
    const body = contractOf({ name, offer, tags }, container);
    // One instance uses up its offer, which lists still have for minutes.
    if (!taken.take(ask, name)) {
      throw new SkipOfferError(`Vast.ai: another job has just taken offer ${ask}`);
    }
    try {
      const id = await api.create(ask, body, signal);
      taken.made(ask, name, id);
      return id;
    } catch (error) {
      const isGone = error instanceof NoCapacityError || error instanceof NoAnswerError;
      if (!isGone) taken.giveBack(ask, name);
      throw error;
    }
  }

  async end({ id }: Pick<Vm, 'id'>): Promise<void> {
    const { api, taken } = this.#options;
    await api.destroy(id);
    taken.ended(id);
  }

  async offers(): Promise<readonly Offer[]> {
    const { api, regions, hasCommunity } = this.#options;
    return vastaiOffers(await api.search(searchQuery(hasCommunity)), regions);
  }

  shaped(offer: Offer, requirements: Requirements): Offer | null {
    if (this.#options.taken.has(offer.instance.name)) return null;
    return isGoodEnough(offer, requirements) ? withDisk(offer, requirements) : null;
  }

  ranked(offers: readonly Offer[], requirements: Requirements): readonly Offer[] | null {
    return rankedByScore(offers, requirements);
  }

  sized(listed: Offer, { instance }: Offer): Offer {
    return withDiskOf(listed, instance.resources.disk.size_mib);
  }

  /** Keys have scopes; those for creating cannot be tried without creating something. */
  async check(): Promise<readonly CheckResult[]> {
    const { api } = this.#options;
    const instances = await tried('vastai: instances', () => api.contracts());
    if (!instances.ok) return [instances];
    const keys = await tried('vastai: SSH keys, for claims', () => api.keys());
    const offers = await tried('vastai: offers', () =>
      api.search({ ...searchQuery(true), limit: 1 }),
    );
    return [instances, keys, offers];
  }
}

/** Keys have no names there. */
function namedKey({ id, publicKey }: AccountKey) {
  const isClaim = CLAIM.test(publicKey.trim().split(/\s+/)[2] ?? '');
  return { id, publicKey, name: isClaim ? `dstack-claim-${id}` : '' };
}

function contractOf(
  { name, offer, tags }: Pick<VmOrder, 'name' | 'offer' | 'tags'>,
  { image, command, environment, registryAuth }: VmContainer,
): NewContract {
  const [program = '', ...rest] = command;
  const args = rest.map((one) => (one.includes('\n') ? packedScript(one) : one));
  const isLong = args.join('').length + program.length > LONGEST_COMMAND;
  if (isLong || Object.values(environment).some((value) => value.length > LONGEST_VALUE)) {
    throw new RefusedOrderError(
      `Vast.ai takes commands of up to ${LONGEST_COMMAND} characters, and values of ${LONGEST_VALUE}: the URL of this server is too long`,
    );
  }
  const { spot, disk } = offer.instance.resources;
  const own = Object.entries(tags).filter(([tag]) => KEPT_TAGS.has(tag));
  const variables = tagsAsVariables({
    ...Object.fromEntries(own),
    [OFFER_TAG]: offer.instance.name,
  });
  if (variables === null) throw new SkipOfferError('Vast.ai: the names of this job are too long');
  const bid = spot ? bidOf(offer) : null;
  const login = registryAuth && loginOf(image, registryAuth);
  return {
    ...{ client_id: 'me', image, label: name, user: 'root', runtype: 'args' },
    disk: Math.round(disk.size_mib / MIB_PER_GB),
    env: { ...environment, ...variables },
    ...{ onstart: program, args, target_state: 'running', cancel_unavail: true },
    ...(login !== null && { image_login: login }),
    ...(bid !== null && { price: bid }),
  };
}

function bidOf(offer: Offer): number {
  const bid = askDataOf(offer)?.min_bid;
  if (typeof bid === 'number' && bid > 0) return bid;
  throw new SkipOfferError('Vast.ai: the offer has no least bid');
}

/** Its form is a command line, in which these characters would end a value, or begin something else. */
function loginOf(image: string, { username, password }: NonNullable<VmContainer['registryAuth']>) {
  if (!PLAIN.test(username) || !PLAIN.test(password)) {
    throw new RefusedOrderError(
      'Vast.ai takes no empty texts, blanks, quotes and signs of the shell in `registry_auth`, and no `-` at their beginning: use a token without them',
    );
  }
  return `-u ${username} -p ${password} ${splitImageName(image).registryHost ?? 'docker.io'}`;
}

function vmOf(one: Contract): Vm {
  const { id, label, geolocation, is_bid: spot } = one;
  const [price, disk] = [quantityOf(one.dph_total), quantityOf(one.disk_space)];
  const tags = tagsFromVariables(environmentOf(one.extra_env));
  const status = statusOf(one);
  const words = plainText(messageOf(one)).trim().slice(0, SHOWN);
  return {
    ...{
      id: String(id),
      name: typeof label === 'string' ? label : '',
      status,
      tags,
      region: regionOf(geolocation),
    },
    instance: {
      name: tags[OFFER_TAG] ?? '',
      resources: {
        ...{ ...shareOf(one), gpus: gpusOf(one) ?? [], spot: spot === true },
        disk: { size_mib: Math.round(disk * MIB_PER_GB) },
        ...{ description: '', cpu_arch: 'x86' },
      },
    },
    price: price > 0 ? price : null,
    ...{ address: null, privateAddress: null },
    problem: words === '' ? null : words,
  };
}

const messageOf = ({ status_msg: text }: Contract): string =>
  typeof text === 'string' ? text : '';

function statusOf(one: Contract): string {
  const { actual_status: actual, cur_state: now, next_state: next, intended_status: meant } = one;
  if (now === 'unloaded') return now;
  // A person has stopped it, or another customer has bid more: then `intended_status` is still `running`.
  const isStopped = meant === 'stopped' || actual === 'stopped' || actual === 'exited';
  if (isStopped && now === 'stopped' && next === 'stopped') {
    return one.is_bid === true ? 'outbid' : 'stopped';
  }
  if (actual === 'created' && messageOf(one).includes(CREATE_FAILED)) return 'create failed';
  // Its container alone, which starts again.
  if (actual === 'stopped') return 'starting';
  return [actual, now].find((word) => typeof word === 'string') ?? 'provisioning';
}

/** Its pairs of a name and a value; others write an object. */
function environmentOf(extra: unknown): Readonly<Record<string, string>> {
  const pairs = Array.isArray(extra) ? extra : Object.entries(extra ?? {});
  const texts = pairs.filter(
    (pair): pair is [string, string] =>
      Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === 'string'),
  );
  return Object.fromEntries(texts);
}
