/** The life of a machine, from its order to its end, in the steps at which something can go wrong. */
import type { CloudStory } from './cloud-story.ts';

export interface Step {
  readonly name: string;
  /** Whether the machine exists from this step on. */
  readonly hasInstance: boolean;
  /** Calls `then` once when the story reaches the step, before anything else happens. */
  readonly at: (story: CloudStory, then: () => void) => void;
}

const BOOTING_US = 10_000_000;

/** At a moment that no call marks. */
function once(is: (story: CloudStory) => boolean): Step['at'] {
  return (story, then) => {
    story.watch(() => {
      if (!is(story)) return false;
      then();
      return true;
    });
  };
}

function atCall(step: 'order' | 'end'): Step['at'] {
  return (story, then) => {
    story.servers.onCall = (reached) => {
      if (reached !== step) return;
      story.servers.onCall = () => {};
      then();
    };
  };
}

const jobs = (story: CloudStory) => story.world.installed.flatMap(({ jobs }) => jobs.states);
const vms = (story: CloudStory) => story.world.alive;

export const STEPS: readonly Step[] = [
  { name: 'offers are asked for', hasInstance: false, at: (_, then) => then() },
  { name: 'before the launch', hasInstance: false, at: atCall('order') },
  {
    name: 'launched, not answered',
    hasInstance: true,
    at: (story, then) => {
      story.world.onCreated = () => {
        story.world.onCreated = () => {};
        then();
      };
    },
  },
  {
    name: 'boots',
    hasInstance: true,
    at: once((story) =>
      vms(story).some(({ createdAt }) => story.clock.now >= createdAt + BOOTING_US),
    ),
  },
  {
    name: 'agent is installed',
    hasInstance: true,
    at: (story, then) => {
      story.world.onInstalling = () => {
        story.world.onInstalling = () => {};
        then();
      };
    },
  },
  {
    name: 'job runs',
    hasInstance: true,
    at: once((story) => jobs(story).some(({ phase }) => phase === 'running')),
  },
  {
    name: 'idle',
    hasInstance: true,
    at: once((story) => jobs(story).some(({ phase }) => phase === 'exited')),
  },
  { name: 'ends', hasInstance: true, at: atCall('end') },
];
