import { expect, it } from 'vitest';
import { localLeases } from './leases.ts';

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;

/** The clocks of a server on SQLite, moved by hand. */
function server() {
  const clocks = { wall: 1_700_000_000 * SECOND, monotonic: 5 * SECOND };
  const leases = localLeases({ now: () => clocks.wall, monotonic: () => clocks.monotonic });
  return { clocks, leases };
}

it.each([HOUR, -HOUR, 24 * HOUR, -24 * HOUR])(
  'a lease of this process lasts as long whatever the clock is set to (%d µs)',
  async (step) => {
    const { clocks, leases } = server();
    await leases.claim('run', 'r', 'a', 9 * SECOND);
    await leases.claimHost('h', 'a', 9 * SECOND);
    clocks.wall += step;
    expect(await leases.claim('run', 'r', 'b', 9 * SECOND)).toBe(false);
    expect(await leases.leaseLeft('run', 'r')).toBe(9 * SECOND);
    expect(await leases.hostOwner('h')).toBe('a');
    clocks.monotonic += 9 * SECOND + 1;
    expect(await leases.claim('run', 'r', 'b', 9 * SECOND)).toBe(true);
    expect(await leases.hostOwner('h')).toBeNull();
    expect(await leases.time()).toBe(clocks.wall);
  },
);
