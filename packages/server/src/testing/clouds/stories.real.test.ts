import { afterEach, expect, it } from 'vitest';
import { CloudStory, type CloudStoryOptions } from './cloud-story.ts';

const SEED = Number(process.env.SIM_SEED ?? Math.floor(Math.random() * 2 ** 31));
const HOUR = 3600;
const LOOK = 5;

let story: CloudStory | null = null;
afterEach(async () => {
  await story?.close();
  story = null;
});

async function begin(options: Partial<CloudStoryOptions> = {}): Promise<CloudStory> {
  console.log(`SIM_SEED=${SEED}`);
  story = await CloudStory.begin({ seed: SEED, ...options });
  Object.assign(story.account.faults, { bootSeconds: [30, 90], deleteSeconds: 5 });
  return story;
}

const small = { cpu: '2..', memory: '1GB..', disk: null };
const task = (seconds: number, more: object = {}) => ({
  ...{ commands: [`sim ${seconds} exit 0 mounts 0`], resources: small, retry: true, ...more },
});
const statuses = async (of: CloudStory) => (await of.runs()).map(({ status }) => status).sort();
const isOver = (of: CloudStory) => async () => (await of.allFinished()) && (await of.isQuiet());
/** Calls that the provider refused because there were too many. */
const refusals = ({ account }: CloudStory) => account.log.filter(({ status }) => status === 429);

it.each([
  [1, 'one server'],
  [2, 'two servers together'],
])(
  '%i: a fleet gets fifty machines within the limits of its provider from %s, and they end',
  async (servers) => {
    const of = await begin();
    for (let more = 1; more < servers; more++) await of.servers.start();
    await of.applyFleet(50, 300, { nodes: { min: 50, max: 50 } });
    const idle = async () =>
      (await of.instances()).filter(({ status }) => status === 'idle').length === 50;
    expect(await of.until(idle, HOUR, LOOK)).toBe(true);
    expect(of.world.alive).toHaveLength(50);
    expect(of.world.doubles).toEqual([]);
    expect(refusals(of)).toEqual([]);
    expect(of.servers.callers).toHaveLength(servers);
    await of.deleteFleet();
    expect(await of.until(() => of.isQuiet(), HOUR, LOOK)).toBe(true);
    expect(of.world.created).toHaveLength(50);
    expect(refusals(of)).toEqual([]);
  },
);

it('a gang for which the quota ends half-way is placed as a whole later, and machines that wait for it end', async () => {
  const of = await begin({ as: 'vultr' });
  of.account.faults.quota = 2;
  await of.applyFleet(4, 30, { placement: 'cluster', backends: ['vultr'] });
  await of.submit('gang', task(20, { nodes: 4 }));
  expect(await of.until(() => of.world.alive.length === 2, HOUR, LOOK)).toBe(true);
  // No job of it starts, and no machine stays for a gang that is not whole.
  expect(await of.until(() => of.world.alive.length === 0, HOUR, LOOK)).toBe(true);
  expect(of.world.processes).toBe(0);
  of.account.faults.quota = 4;
  expect(await of.until(isOver(of), 2 * HOUR, LOOK)).toBe(true);
  expect(await statuses(of)).toEqual(['done']);
  expect(of.world.doubles).toEqual([]);
});

it('three runs that wait for a sold-out region cost few calls, and get machines once it has some', async () => {
  const of = await begin();
  const { capacity } = of.account.account.vms;
  const left = (count: number) => capacity.set('cpu_4x_general', 'us-east-1', count);
  left(0);
  await of.applyFleet(3, 30, { regions: ['us-east-1'] });
  const only = { resources: { ...small, cpu: '4' } };
  for (const name of ['one', 'two', 'three']) await of.submit(name, task(20, only));
  await of.run(600);
  const before = of.account.log.length;
  await of.run(600);
  // One look at the offers in half a minute.
  expect(of.account.log.length - before).toBeLessThanOrEqual(21);
  expect(of.world.created).toEqual([]);
  left(3);
  expect(await of.until(isOver(of), HOUR, LOOK)).toBe(true);
  expect(await statuses(of)).toEqual(['done', 'done', 'done']);
  expect(of.world.created).toHaveLength(3);
});

it('machines of which lists contain none for a while go on, also when servers are killed meanwhile', async () => {
  const of = await begin();
  await of.applyFleet(3, 2 * HOUR, { nodes: { min: 3, max: 3 } });
  const idle = async () =>
    (await of.instances()).filter(({ status }) => status === 'idle').length === 3;
  expect(await of.until(idle, HOUR, LOOK)).toBe(true);
  const ids = of.world.alive.map(({ id }) => id);
  of.account.faults.eventualSeconds = 24 * HOUR;
  await of.run(600);
  of.servers.kill();
  await of.servers.start();
  await of.run(900);
  of.account.faults.eventualSeconds = 0;
  await of.run(600);
  expect(await idle()).toBe(true);
  expect(of.world.alive.map(({ id }) => id)).toEqual(ids);
  expect(of.world.created).toHaveLength(3);
});
