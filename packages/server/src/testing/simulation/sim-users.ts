/** Users of the servers of a simulation, with random requests through the API's own code. */
import type { Random } from '@dstack/testkit/random';
import { accepting } from './accepting.ts';
import { UserArrays } from './user-arrays.ts';
import { UserFleets } from './user-fleets.ts';
import type { UserParts } from './user-parts.ts';
import { UserQuotas } from './user-quotas.ts';
import { UserRuns } from './user-runs.ts';
import { UserVolumes } from './user-volumes.ts';

type Action =
  | 'task'
  | 'gang'
  | 'service'
  | 'schedule'
  | 'array'
  | 'member'
  | 'stop'
  | 'updateService'
  | 'updatePriority'
  | 'setPriority'
  | 'dependent'
  | 'hold'
  | 'release'
  | 'rerun'
  | 'requests'
  | 'resizeFleet'
  | 'changeFleet'
  | 'changeHosts'
  | 'changeBlocks'
  | 'deleteFleet'
  | 'restoreFleet'
  | 'deleteInstance'
  | 'care'
  | 'maintain'
  | 'deleteRun'
  | 'replaceRun'
  | 'share'
  | 'quota'
  | 'createVolume'
  | 'deleteVolume';

const WEIGHTS: Readonly<Record<Action, number>> = {
  task: 8,
  gang: 2,
  service: 3,
  schedule: 0.5,
  array: 1.5,
  member: 1,
  stop: 3,
  updateService: 2,
  updatePriority: 0.5,
  setPriority: 0.5,
  dependent: 3,
  hold: 1.5,
  release: 1.5,
  rerun: 0.4,
  requests: 3,
  resizeFleet: 1,
  changeFleet: 0.7,
  changeHosts: 0.6,
  changeBlocks: 0.5,
  deleteFleet: 0.4,
  restoreFleet: 0.8,
  deleteInstance: 0.5,
  care: 1.5,
  // Only in stories of windows.
  maintain: 0,
  deleteRun: 0.3,
  replaceRun: 0.5,
  share: 0.5,
  quota: 1,
  createVolume: 2.5,
  deleteVolume: 0.7,
};

/** The weights of actions of users who compete for a few hosts. */
const CROWD: Readonly<Partial<Record<Action, number>>> = {
  ...{ task: 18, gang: 3, service: 1, schedule: 0.7, stop: 2, updateService: 0.3 },
  ...{
    array: 2,
    setPriority: 1,
    updatePriority: 2,
    dependent: 1.5,
    hold: 1,
    release: 1,
    quota: 1,
    care: 0.5,
  },
  ...{
    resizeFleet: 0,
    changeFleet: 0,
    changeHosts: 0.1,
    changeBlocks: 0,
    deleteFleet: 0,
    restoreFleet: 1,
  },
  ...{ share: 0.05, createVolume: 0, deleteVolume: 0, requests: 0.5, deleteInstance: 0.1 },
};

/** The weights of actions where fleets have windows of maintenance. */
const WINDOWS: Readonly<Partial<Record<Action, number>>> = { maintain: 4, task: 12 };

/** Requests of which each changes what the other one relies on. */
const RIVALS: readonly (readonly [Action, Action])[] = [
  ['task', 'deleteVolume'],
  ['service', 'deleteVolume'],
  ['gang', 'deleteFleet'],
  ['gang', 'changeHosts'],
  ['gang', 'resizeFleet'],
  ['gang', 'changeBlocks'],
  ['createVolume', 'deleteFleet'],
  ['createVolume', 'changeHosts'],
  ['createVolume', 'deleteVolume'],
  ['createVolume', 'createVolume'],
  ['deleteVolume', 'deleteFleet'],
  ['updateService', 'stop'],
  ['hold', 'release'],
  ['array', 'stop'],
  ['array', 'replaceRun'],
  ['member', 'member'],
  ['member', 'hold'],
  ['member', 'stop'],
  ['dependent', 'stop'],
  ['dependent', 'replaceRun'],
  ['hold', 'stop'],
  ['rerun', 'replaceRun'],
  ['replaceRun', 'replaceRun'],
  ['deleteFleet', 'restoreFleet'],
  ['share', 'gang'],
  ['quota', 'task'],
  ['quota', 'quota'],
  ['care', 'gang'],
  ['care', 'care'],
];

const FIRST_VOLUMES = 8;
/** So many fleets get windows before the story begins. */
const FIRST_WINDOWS = 6;

export interface SimUsersParts extends UserParts {
  /** Fleets are shared from the beginning, two projects have guarantees on them, and all want the same. */
  readonly isCrowd: boolean;
  /** Fleets get windows of maintenance. */
  readonly hasWindows: boolean;
  /** See `SimulationOptions`. */
  readonly arrays: number;
  /** Name of the gateway of a project; null: it has none. */
  readonly gatewayOf: (projectId: string) => string | null;
}

export class SimUsers {
  readonly arrays: UserArrays;
  readonly fleets: UserFleets;
  readonly runs: UserRuns;
  readonly volumes: UserVolumes;
  readonly quotas: UserQuotas;
  readonly #random: Random;
  readonly #isCrowd: boolean;
  readonly #hasWindows: boolean;
  readonly #weights: Readonly<Record<Action, number>>;

  constructor(parts: SimUsersParts) {
    const { isCrowd, hasWindows, arrays } = parts;
    const weights = { ...WEIGHTS, ...(isCrowd ? CROWD : {}), ...(hasWindows ? WINDOWS : {}) };
    this.#weights = withArrays(weights, arrays);
    this.#random = parts.random;
    this.#isCrowd = isCrowd;
    this.#hasWindows = hasWindows;
    this.arrays = new UserArrays(parts);
    this.fleets = new UserFleets(parts);
    this.volumes = new UserVolumes(parts);
    this.quotas = new UserQuotas(parts);
    this.runs = new UserRuns({ ...parts, volumes: this.volumes });
  }

  /** Fleets and volumes that exist before the story begins. */
  async begin(): Promise<void> {
    await this.fleets.makeAll();
    if (this.#isCrowd) {
      await this.fleets.share();
      if (this.#random.chance(0.7)) await this.quotas.begin();
    }
    if (this.#hasWindows) for (let n = 0; n < FIRST_WINDOWS; n++) await this.#try('maintain');
    for (let n = 0; n < FIRST_VOLUMES; n++) await this.#try('createVolume');
  }

  /** One random request, or two at the same moment. */
  async act(): Promise<string> {
    const kind = this.#random.weighted({ one: 7, two: 2, rivals: 1 });
    const one = () => this.#random.weighted(this.#weights);
    if (kind === 'one') return await this.#try(one());
    const both = (kind === 'rivals' && this.#random.pick(RIVALS)) || [one(), one()];
    const done = await Promise.all(both.map((action) => this.#try(action)));
    return done.join(' and ');
  }

  /** Refusals are accepted. */
  async #try(action: Action): Promise<string> {
    return (await accepting(this.#do(action))) ? action : `${action} (refused)`;
  }

  #do(action: Action): Promise<void> {
    const { arrays, fleets, quotas, runs, volumes } = this;
    switch (action) {
      case 'task':
      case 'gang':
      case 'service':
      case 'schedule':
      case 'array':
        return runs.submit(action);
      case 'stop':
        return runs.stop();
      case 'updateService':
        return runs.updateService();
      case 'member':
        return arrays.act();
      case 'setPriority':
        return runs.setPriority();
      case 'updatePriority':
        return runs.updatePriority();
      case 'dependent':
        return runs.submitDependent();
      case 'hold':
        return runs.hold();
      case 'release':
        return runs.release();
      case 'rerun':
        return runs.rerun();
      case 'requests':
        return runs.request();
      case 'deleteRun':
        return runs.delete();
      case 'replaceRun':
        return runs.replace();
      case 'resizeFleet':
        return fleets.resize();
      case 'changeFleet':
        return fleets.change();
      case 'changeHosts':
        return fleets.changeHosts();
      case 'changeBlocks':
        return fleets.changeBlocks();
      case 'deleteFleet':
        return fleets.delete();
      case 'restoreFleet':
        return fleets.restore();
      case 'deleteInstance':
        return fleets.deleteInstance();
      case 'care':
        return fleets.care();
      case 'maintain':
        return fleets.maintain();
      case 'share':
        return fleets.share();
      case 'quota':
        return this.#isCrowd && this.#random.chance(0.5) ? quotas.begin() : quotas.change();
      case 'createVolume':
        return volumes.create();
      case 'deleteVolume':
        return volumes.delete();
    }
  }
}

/** `factor`: how much more often users do what concerns arrays and dependencies. */
function withArrays(
  weights: Readonly<Record<Action, number>>,
  factor: number,
): Readonly<Record<Action, number>> {
  const concerned = ['array', 'member', 'dependent', 'hold', 'release', 'rerun'] as const;
  const more = concerned.map((action) => [action, weights[action] * factor]);
  return { ...weights, ...Object.fromEntries(more) };
}
