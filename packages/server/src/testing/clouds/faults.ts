/** Faults of one step: at the provider, with the machine, or with the server. */
import type { DirectCloud } from '@dstack/testkit/cloud';
import type { CloudStory } from './cloud-story.ts';

export interface Fault {
  readonly name: string;
  /** Whether it is about a machine that exists, or about one that will be made; omitted: about none. */
  readonly of?: 'a machine' | 'the next machine';
  readonly strike: (story: CloudStory) => void;
  /** Ends it, a while after it has begun. */
  readonly heal?: (story: CloudStory) => void;
  /** The clock of the server is off by up to an hour from the beginning. */
  readonly hasWrongClock?: boolean;
  /** Seconds until it ends; 60 by default. */
  readonly lasts?: number;
}

type Faults = DirectCloud['faults'];

/** In all stories lists are late, so that each fault meets a machine that cannot be found yet. */
export const LATE_SECONDS = 15;

const QUIET: Partial<Faults> = {
  ...{ rateLimit: 0, bareRateLimit: false, error: 0, lostResponse: 0, lostRequest: 0, hold: null },
  ...{
    eventualSeconds: LATE_SECONDS,
    noCapacity: 0,
    quota: Number.POSITIVE_INFINITY,
    refuse: null,
  },
  ...{ neverReady: 0, failsToBoot: 0, noSsh: 0, reuseAddress: false, deleteNeedsReady: false },
};

const heal = ({ account }: CloudStory) => void Object.assign(account.faults, QUIET);

/** The account behaves like this for a minute. */
const account = (name: string, faults: Partial<Faults>, lasts = 60): Fault => ({
  ...{ name, lasts, heal },
  strike: (story) => void Object.assign(story.account.faults, faults),
});

/** The next machine is like this, and none after it. */
const machine = (name: string, faults: Partial<Faults>): Fault => ({
  ...{ name, of: 'the next machine' },
  strike: (story) => {
    Object.assign(story.account.faults, faults);
    const made = story.world.created.length;
    story.watch(() => {
      if (story.world.created.length === made) return false;
      heal(story);
      return true;
    });
  },
});

const first = ({ world }: CloudStory) => world.alive[0] ?? null;

const restart = (story: CloudStory) => story.begun(story.servers.start());

const PROVIDER: readonly Fault[] = [
  account('429 with Retry-After', { rateLimit: 1 }),
  account('429 without', { rateLimit: 1, bareRateLimit: true }),
  account('500', { error: 1 }),
  account('requests are lost', { lostRequest: 1 }),
  account('answers are lost', { lostResponse: 1 }),
  account('time-out, carried out later', { hold: 'request' }),
  account('time-out after the effect', { hold: 'answer' }),
  account('lists are not late', { eventualSeconds: 0 }, 120),
  account('lists are 25 s late', { eventualSeconds: 25 }, 120),
  account('sold out', { noCapacity: 1 }),
  account('quota is used up', { quota: 0 }),
  account('no balance', { refuse: 'balance' }),
  account('key is refused', { refuse: 'credentials' }),
];

const MACHINE: readonly Fault[] = [
  machine('never boots', { neverReady: 1 }),
  machine('cannot be started', { failsToBoot: 1 }),
  machine('sshd, or the agent of a container, never answers', { noSsh: 1 }),
  {
    ...{ name: 'is reclaimed', of: 'a machine' },
    strike: (story) => {
      const vm = first(story);
      if (vm) story.begun(story.account.account.vms.interrupt(vm.id, 'reclaimed', 0));
    },
  },
  {
    ...{ name: 'is deleted by a person', of: 'a machine' },
    strike: (story) => {
      const vm = first(story);
      if (vm) story.begun(story.account.account.vms.vanish(vm.id));
    },
  },
  {
    ...{ name: 'its address is another’s', of: 'a machine' },
    strike: (story) => {
      const vm = first(story);
      if (!vm) return;
      const gone = story.account.account.vms.vanish(vm.id);
      story.begun(gone.then(() => story.world.addForeign(vm)));
    },
  },
  {
    ...{ name: 'is unreachable for a minute', of: 'a machine' },
    strike: (story) => story.world.cutOff(true),
    heal: (story) => story.world.cutOff(false),
  },
  account('cannot be ended while it boots', { deleteNeedsReady: true }, 300),
];

const SERVER: readonly Fault[] = [
  {
    name: 'kill -9',
    strike: (story) => {
      story.servers.kill();
      restart(story);
    },
  },
  { name: 'kill -9, back in 10 min', lasts: 600, strike: (s) => s.servers.kill(), heal: restart },
  {
    name: 'kill -9, another goes on',
    strike: (story) => {
      const [victim] = story.servers.all;
      story.begun(story.servers.start().then(() => victim && story.servers.kill([victim])));
    },
  },
  {
    ...{ name: 'stopped for 5 min', lasts: 300 },
    strike: (story) => {
      for (const server of story.servers.all) server.suspend('process');
    },
    heal: (story) => {
      for (const server of story.servers.all) server.resume();
    },
  },
  {
    ...{ name: 'its clock is set by up to an hour', hasWrongClock: true },
    strike: (story) => {
      for (const server of story.servers.all) server.stepClock();
    },
  },
];

export const FAULTS: readonly Fault[] = [...PROVIDER, ...MACHINE, ...SERVER];
