/** Orders of machines at a provider that loses answers, lists machines late and refuses calls. */
import type { Offer } from '@dstack/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BackendError,
  BusyError,
  NoAnswerError,
  NoCapacityError,
  PreparingError,
  QuotaError,
} from '../errors.ts';
import type { CreatedInstance, InstanceOrder } from '../instance-port.ts';
import { newOrder } from '../testing/orders.ts';
import { AccountVms } from './account-vms.ts';
import { VmInstances } from './instances.ts';
import type { CallPace } from './pace.ts';
import { MissingThingError, NotNowError } from './refusals.ts';
import { sshWay } from './ssh-way.ts';
import type { Vm, VmCloud, VmOrder } from './vm-cloud.ts';

const LATE_MS = 30_000;
const MAX_REPEATS = 200;

const CREATIONS = ['made', 'made and lost', 'lost', 'busy', 'full'] as const;
const OTHERS = ['answered', 'answered', 'lost', 'busy'] as const;

/** The outcomes of calls at the provider, in the order of the calls; later calls are answered. */
interface Script {
  readonly creations: readonly (typeof CREATIONS)[number][];
  readonly lists: readonly (typeof OTHERS)[number][];
  readonly ends: readonly (typeof OTHERS | readonly ['not now'])[number][];
  /** Milliseconds until a list contains a new machine. */
  readonly lag: number;
  /** Milliseconds until an ended machine is missing. */
  readonly linger: number;
  /** Another server, or this one after a restart, is asked to end the machine. */
  readonly endsElsewhere: boolean;
  /** The server is killed after these attempts, so that nothing of the process is left. */
  readonly crashes: readonly boolean[];
}

const script: fc.Arbitrary<Script> = fc.record({
  creations: fc.array(fc.constantFrom(...CREATIONS), { maxLength: 5 }),
  lists: fc.array(fc.constantFrom(...OTHERS), { maxLength: 12 }),
  ends: fc.array(fc.constantFrom(...OTHERS, 'not now' as const), { maxLength: 5 }),
  lag: fc.integer({ min: 0, max: LATE_MS - 4000 }),
  linger: fc.integer({ min: 0, max: 60_000 }),
  endsElsewhere: fc.boolean(),
  crashes: fc.array(fc.boolean(), { maxLength: 6 }),
});

interface Machine {
  readonly vm: Vm;
  readonly madeAt: number;
  endsAt: number | null;
}

class ScriptedCloud implements VmCloud {
  readonly type = 'lambda';
  readonly title = 'Scripted';
  readonly loginUser = 'root';
  readonly statuses = { up: 'ready', ending: 'ending' } as const;
  readonly lateMs = LATE_MS;
  now = 0;
  launches = 0;
  looks = 0;
  /** Lists contain nothing, although calls by id find the machines. */
  omitted = false;
  /** The answer to a creation, from the id of the machine. */
  answered = (id: string): unknown => id;
  readonly #script: Script;
  #machines: Machine[] = [];
  readonly #next = { create: 0, list: 0, end: 0 };

  constructor(of: Script) {
    this.#script = of;
  }

  get alive(): readonly Machine[] {
    this.#machines = this.#machines.filter(({ endsAt }) => endsAt === null || endsAt > this.now);
    return this.#machines.filter(({ endsAt }) => endsAt === null);
  }

  async list(): Promise<readonly Vm[]> {
    this.looks++;
    await Promise.resolve();
    this.#disturb(this.#script.lists[this.#next.list++] ?? 'answered');
    const { lag } = this.#script;
    void this.alive;
    if (this.omitted) return [];
    return this.#machines
      .filter(({ madeAt }) => madeAt + lag <= this.now)
      .map(({ vm, endsAt }) => (endsAt === null ? vm : { ...vm, status: 'ending' }));
  }

  async create({ name, tags, offer }: VmOrder): Promise<string> {
    const outcome = this.#script.creations[this.#next.create++] ?? 'made';
    if (outcome === 'full') throw new NoCapacityError('none left');
    if (outcome === 'busy') throw new BusyError('429');
    if (outcome === 'lost') throw new NoAnswerError('cut off');
    const id = `m${String(this.launches++)}`;
    const { instance, region, price } = offer;
    const address = { address: '10.0.0.1', privateAddress: null, problem: null };
    const vm = { id, name, region, instance, price, status: 'up', tags, ...address };
    this.#machines.push({ vm, madeAt: this.now, endsAt: null });
    if (outcome === 'made and lost') throw new NoAnswerError('the answer was cut off');
    return this.answered(id) as string;
  }

  async end({ id }: Pick<Vm, 'id'>): Promise<void> {
    const outcome = this.#script.ends[this.#next.end++] ?? 'answered';
    if (outcome === 'not now') throw new NotNowError('still created');
    if (outcome === 'busy') throw new BusyError('429');
    const machine = this.#machines.find(({ vm }) => vm.id === id);
    if (!machine || machine.madeAt + this.#script.lag > this.now) throw new MissingThingError(id);
    machine.endsAt ??= this.now + this.#script.linger;
    if (outcome === 'lost') throw new NoAnswerError('cut off');
  }

  offers = async () => [];
  check = async () => [];

  #disturb(outcome: (typeof OTHERS)[number]): void {
    if (outcome === 'lost') throw new NoAnswerError('cut off');
    if (outcome === 'busy') throw new BusyError('429');
  }
}

const QUIET: Script = {
  ...{ creations: [], lists: [], ends: [], lag: 0, linger: 0, crashes: [] },
  endsElsewhere: false,
};

const OFFER = {
  ...{ backend: 'lambda', region: 'us', price: 1, instance: { name: 'small' } },
} as unknown as Offer;

function world(of: Script) {
  const cloud = new ScriptedCloud(of);
  const pace: CallPace = {
    now: () => cloud.now,
    delay: async (ms) => {
      cloud.now += ms;
    },
  };
  const offers = { priceOf: async () => 1, refused: () => {} };
  const start = () =>
    new VmInstances({
      ...{ cloud, offers, way: sshWay(cloud, 's', null), pace },
      account: new AccountVms(pace),
    });
  return { cloud, start };
}

/** Repeats the same order until there is an answer that ends it, like effects do. */
async function ordered(of: Script, order: InstanceOrder) {
  const { cloud, start } = world(of);
  let instances = start();
  let wasAsked = false;
  for (let attempt = 0; attempt < MAX_REPEATS; attempt++) {
    const attempted: InstanceOrder = { ...order, mayExist: wasAsked };
    const answer: CreatedInstance | Error = await instances
      .create(attempted)
      .catch((error: unknown) => error as Error);
    // From the first question on, the database records that the machine may exist, until the answer is that
    // nothing was sent.
    const isUnsent: boolean = answer instanceof PreparingError && !wasAsked && !of.crashes[attempt];
    wasAsked = !isUnsent;
    cloud.now += 1000;
    if (of.crashes[attempt]) {
      // The result was not stored.
      instances = start();
      continue;
    }
    if (!(answer instanceof Error)) return { cloud, instances, start, handle: answer.handle };
    expect(answer).toBeInstanceOf(BackendError);
    const isRepeated = answer instanceof NoAnswerError || answer instanceof PreparingError;
    if (!isRepeated) return { cloud, instances, start, handle: null };
  }
  throw new Error('the order never ends');
}

describe('an order of a machine', () => {
  it('makes one machine or none, whatever is lost, late or refused, and kill -9 in between', async () => {
    await fc.assert(
      fc.asyncProperty(script, async (of) => {
        const { cloud, handle } = await ordered(of, newOrder(OFFER));
        cloud.now += LATE_MS;
        const alive = cloud.alive.map(({ vm }) => vm.id);
        expect(alive).toEqual(handle === null ? [] : [handle.id]);
        expect(cloud.launches).toBe(alive.length);
      }),
      { numRuns: 500 },
    );
  });

  it('is ended by releases that are repeated until the provider has finished, and leaves nothing', async () => {
    await fc.assert(
      fc.asyncProperty(script, async (of) => {
        const { cloud, start, handle, ...made } = await ordered(of, newOrder(OFFER));
        if (handle === null) return;
        const instances = of.endsElsewhere ? start() : made.instances;
        for (let attempt = 0; attempt < MAX_REPEATS; attempt++) {
          const answer = await instances.release(handle).catch((error: unknown) => error as Error);
          cloud.now += 1000;
          if (answer === 'released') break;
        }
        expect(cloud.alive).toEqual([]);
        cloud.now += LATE_MS;
        expect(await instances.observe(handle).catch(() => ({ state: 'missing' }))).toEqual({
          state: 'missing',
        });
      }),
      { numRuns: 300 },
    );
  });

  it('has machines of the same order ended that another server has made', async () => {
    const { cloud, start } = world(QUIET);
    const order = newOrder(OFFER);
    const first = await start().create(order);
    const { vm } = cloud.alive[0] ?? {};
    if (!vm) throw new Error('there is no machine');
    await cloud.create({
      ...vm,
      offer: OFFER,
      owner: order.owner,
      authorizedKeys: [],
      userData: '',
    });
    expect(cloud.alive).toHaveLength(2);
    expect((await start().create(order)).handle).toEqual(first.handle);
    expect(cloud.alive.map((one) => one.vm.id)).toEqual([first.handle.id]);
  });

  it('has a machine ended that the provider makes for it long after another one', async () => {
    const { cloud, start } = world(QUIET);
    const order = newOrder(OFFER);
    const instances = start();
    const { handle } = await instances.create(order);
    const [{ vm } = { vm: null }] = cloud.alive;
    if (vm === null) throw new Error('there is no machine');
    const late = { ...vm, offer: OFFER, owner: order.owner, authorizedKeys: [], userData: '' };
    await cloud.create(late);
    await cloud.create({ ...late, tags: { ...vm.tags, 'dstack-server': 'another' } });
    await cloud.create({ ...late, tags: {} });
    cloud.now += LATE_MS;
    expect(await instances.observe(handle)).toMatchObject({ state: 'ready' });
    await new Promise((resolve) => setImmediate(resolve));
    // Neither the machine that serves the order, nor one of another installation or of a person.
    expect(cloud.alive.map(({ vm: one }) => one.id)).toEqual([handle.id, 'm2', 'm3']);
  });

  it('goes on when a second machine that was made for it is ended as an orphan', async () => {
    const { cloud, start } = world(QUIET);
    const order = newOrder(OFFER);
    const { handle } = await start().create(order);
    const [{ vm } = { vm: null }] = cloud.alive;
    if (vm === null) throw new Error('there is no machine');
    const second = { ...vm, offer: OFFER, owner: order.owner, authorizedKeys: [], userData: '' };
    const id = await cloud.create(second);
    cloud.now += LATE_MS;
    await start().release({ id, data: null }, { isOrphan: true });
    await new Promise((resolve) => setImmediate(resolve));
    expect(cloud.alive.map(({ vm: one }) => one.id)).toEqual([handle.id]);
  });

  it('has ended as soon as the provider reports it, although lists still have it', async () => {
    const { cloud, start } = world(QUIET);
    const order = newOrder(OFFER);
    const { handle } = await start().create(order);
    cloud.now += LATE_MS;
    const list = cloud.list.bind(cloud);
    cloud.list = async () => (await list()).map((vm) => ({ ...vm, isOver: true }));
    expect(await start().release(handle)).toBe('released');
    expect(await start().list({ server: order.owner.server })).toEqual([]);
  });

  it('is ended although a list has omitted it for a moment', async () => {
    const { cloud, start } = world(QUIET);
    const instances = start();
    const { handle } = await instances.create(newOrder(OFFER));
    await instances.observe(handle);
    cloud.now += LATE_MS;
    cloud.omitted = true;
    expect(await instances.release(handle)).toBe('releasing');
    expect(cloud.alive).toEqual([]);
    expect(await instances.release(handle)).toBe('released');
  });

  it('was sent, whatever prevents the look for a machine after a lost answer', async () => {
    const busy = { creations: ['made and lost'], lists: ['answered', 'busy'], lag: 1000 } as const;
    const { start } = world({ ...QUIET, ...busy });
    const answer = await start()
      .create(newOrder(OFFER))
      .catch((error: unknown) => error);
    // Another answer would allow to forget that it may exist.
    expect(answer).toBeInstanceOf(NoAnswerError);
  });

  it('was not refused by a provider that only refuses the look for it', async () => {
    const { cloud, start } = world(QUIET);
    cloud.list = async () => {
      throw new QuotaError('429: quota of calls exceeded');
    };
    const order = { ...newOrder(OFFER), mayExist: true };
    const answer = await start()
      .create(order)
      .catch((error: unknown) => error);
    // The next offer would be ordered beside the machine that there may be.
    expect(answer).toBeInstanceOf(NoAnswerError);
    expect(answer).not.toBeInstanceOf(NoCapacityError);
  });

  it('is not sent once its caller has given up, and announced before it is sent', async () => {
    const { cloud, start } = world(QUIET);
    const order = newOrder(OFFER);
    const given = await start()
      .create({ ...order, signal: AbortSignal.abort() })
      .catch((error: unknown) => error);
    expect(given).toBeInstanceOf(PreparingError);
    expect(cloud.launches).toBe(0);
    const seen: number[] = [];
    const onSending = async () => void seen.push(cloud.launches);
    const instances = start();
    await instances.create({ ...order, onSending });
    await instances.create({ ...order, onSending });
    // A machine that exists already is not sent again.
    expect(seen).toEqual([0]);
    const withdrawn = async () => Promise.reject(new Error('withdrawn'));
    const other = { ...newOrder(OFFER), onSending: withdrawn };
    await expect(instances.create(other)).rejects.toThrow('withdrawn');
    expect(cloud.launches).toBe(1);
  });

  it('of many orders is looked for by few lists, each asked for after the order was made', async () => {
    const { cloud, start } = world(QUIET);
    const instances = start();
    const orders = Array.from({ length: 20 }, () => newOrder(OFFER));
    await Promise.all(orders.map((order) => instances.create(order)));
    expect(cloud.alive).toHaveLength(20);
    expect(cloud.looks).toBeLessThan(10);
  });

  it('is looked for after an answer of a form that the provider does not have', async () => {
    for (const answer of [undefined, null, '']) {
      const { cloud, start } = world({ ...QUIET, creations: ['made'] });
      cloud.answered = () => answer;
      const made = await start().create(newOrder(OFFER));
      expect(cloud.alive.map(({ vm }) => vm.id)).toEqual([made.handle.id]);
    }
    const { cloud, start } = world(QUIET);
    cloud.answered = () => {
      throw new TypeError('Cannot read properties of null');
    };
    expect((await start().create(newOrder(OFFER))).handle.id).toBe('m0');
    expect(cloud.launches).toBe(1);
  });
});
