/**
 * Machines in the account of which no server has a record: what the sweep does with them. In every story one
 * machine of the installation serves a run, and machines of others are beside the orphan.
 */
import { CLAIM_WATCH } from '@dstack/core';
import { SERVER_ID } from '../simulation/sim-server.ts';
import { CloudStory } from './cloud-story.ts';

const HOUR = 3600;
const MINUTE = 60;
/** Until the sweep may end anything, and more: what happens in the first hours begins the watch anew. */
const LONGEST = CLAIM_WATCH / 1_000_000 + 9 * HOUR;
const LOOK_SECONDS = 20;
const OTHER_SERVER = 'another';

export interface OrphanCase {
  readonly name: string;
  /** Whether the orphan is ended, or reported only; null = either. */
  readonly isEnded: boolean | null;
  readonly servers?: number;
  readonly hasWrongClock?: boolean;
  /** Goes on beside the story. */
  readonly every?: { readonly seconds: number; readonly happens: (story: CloudStory) => void };
}

const step = (story: CloudStory) => {
  for (const server of story.servers.all) server.stepClock();
};

/** In every second part of the first two hours; each failure makes the watch of the claims begin again. */
function disturb({ account: { faults }, clock }: CloudStory): void {
  const isQuiet = faults.lostRequest > 0 || clock.now - clock.start > 2 * HOUR * 1_000_000;
  const [lostRequest, rateLimit, eventualSeconds] = isQuiet ? [0, 0, 0] : [0.3, 0.2, 25];
  Object.assign(faults, { lostRequest, rateLimit, eventualSeconds });
}

export const ORPHAN_CASES: readonly OrphanCase[] = [
  { name: 'nothing else happens', isEnded: true },
  { name: 'two servers', isEnded: true, servers: 2 },
  {
    ...{ name: 'calls are lost, refused and late for 2 h', isEnded: true },
    every: { seconds: 10 * MINUTE, happens: disturb },
  },
  {
    // Servers take the time from their database: a clock that is set back moves nothing, so the watch goes on.
    ...{ name: 'clocks are set every 40 min', isEnded: null, hasWrongClock: true },
    every: { seconds: 40 * MINUTE, happens: step },
  },
  {
    ...{ name: 'kill -9 every 2 h', isEnded: false },
    every: {
      seconds: 2 * HOUR,
      happens: (story) => {
        story.servers.kill();
        story.begun(story.servers.start());
      },
    },
  },
  {
    ...{ name: 'a copy of the installation runs', isEnded: false },
    every: { seconds: HOUR, happens: (story) => claim(story, 'a-copy') },
  },
  {
    ...{ name: 'a person deletes the claims', isEnded: false },
    every: {
      seconds: HOUR,
      happens: ({ account: { account } }) => {
        for (const { id, name } of account.keys.all()) {
          if (name.startsWith('dstack-claim-')) account.keys.delete(id);
        }
      },
    },
  },
];

/** Claims the machines like another installation with a copy of the database. */
function claim({ account: { account }, clock }: CloudStory, claimant: string): void {
  const nonce = `nonce-${clock.now}`;
  const seconds = Math.floor(clock.now / 1_000_000);
  const comment = `dstack-claim:${SERVER_ID}:${claimant}:${nonce}:${seconds}`;
  account.keys.add(`dstack-claim-${nonce}`, `ssh-ed25519 AAAA${claimant} ${comment}`);
}

export interface OrphanOutcome {
  readonly name: string;
  /** Minutes after which it was ended; null = it was not. */
  readonly endedAfter: number | null;
  /** Events about it. */
  readonly events: readonly string[];
  /** Machines that were ended although they are others’, or serve a run. */
  readonly lost: number;
}

export async function orphanOutcome(of: OrphanCase, seed: number): Promise<OrphanOutcome> {
  const { hasWrongClock = false, servers = 1 } = of;
  const story = await CloudStory.begin({ seed, hasWrongClock, sweep: 'terminate' });
  try {
    for (let more = 1; more < servers; more++) await story.servers.start();
    return await outcomeIn(story, of);
  } finally {
    await story.close();
  }
}

async function outcomeIn(story: CloudStory, { name, every }: OrphanCase): Promise<OrphanOutcome> {
  const { world, clock, account } = story;
  Object.assign(account.faults, { bootSeconds: [40, 40], deleteSeconds: 5 });
  await story.applyFleet(1, HOUR);
  await story.submit('serves', {
    ...{ commands: [`sim ${2 * LONGEST} exit 0 mounts 0`], retry: true },
    resources: { cpu: '2..', memory: '1GB..', disk: null },
  });
  const { vms } = account.account;
  await story.until(() => world.alive.some(({ state }) => state === 'running'), HOUR, LOOK_SECONDS);
  const [serves] = world.alive;
  const owner = { 'dstack-server': SERVER_ID, 'dstack-project': 'first', 'dstack-fleet': 'pool' };
  const orphan = world.addUnordered({ ...owner, 'dstack-instance': 'pool-7' });
  const others = [
    world.addUnordered({ ...owner, 'dstack-server': OTHER_SERVER }),
    world.addUnordered({}),
  ];
  const begun = clock.now;
  const exists = (id: string) => vms.get(id) !== null;
  if (every) repeat(story, every);
  await story.until(() => !exists(orphan), LONGEST, LOOK_SECONDS);
  const endedAt = exists(orphan) ? null : clock.now;
  // The end is reported by the next sweep.
  if (endedAt !== null) await story.run(2 * HOUR);
  const kept = [...others, serves?.id ?? 'none'];
  return {
    name,
    endedAfter: endedAt === null ? null : Math.round((endedAt - begun) / 1_000_000 / MINUTE),
    events: await eventsAbout(story, orphan),
    lost: kept.filter((id) => !exists(id)).length,
  };
}

function repeat(story: CloudStory, every: NonNullable<OrphanCase['every']>): void {
  const again = () => {
    every.happens(story);
    repeat(story, every);
  };
  story.clock.outside.after(every.seconds * 1_000_000, again);
}

async function eventsAbout({ store }: CloudStory, id: string): Promise<readonly string[]> {
  const page = { limit: 1000, ascending: true };
  const events = await store.events.list({ visibleTo: null, page });
  return events.map(({ message }) => message).filter((message) => message.includes(id));
}

/** Returns the outcomes as a Markdown table. */
export function orphansText(outcomes: readonly OrphanOutcome[]): string {
  const rows = outcomes.map(({ name, endedAfter, lost }) => {
    const what = endedAfter === null ? 'reported' : `reported, ended after ${endedAfter} min`;
    return `| ${name} | ${what} | ${lost} |`;
  });
  return ['| meanwhile | the orphan is | others ended |', '| --- | --- | --- |', ...rows].join(
    '\n',
  );
}
