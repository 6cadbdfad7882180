import { setTimeout as delay } from 'node:timers/promises';
import type { SimClock, SimRandom } from './calls.ts';

export const realClock: SimClock = {
  get now() {
    return Date.now() * 1000;
  },
  delay: async (us) => void (await delay(us / 1000, undefined, { ref: false })),
};

export const realRandom: SimRandom = {
  whole: (from, to) => from + Math.floor(Math.random() * (to - from + 1)),
  chance: (probability) => Math.random() < probability,
};
