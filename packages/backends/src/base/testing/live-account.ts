/** The life of one machine in a real account: for the first person who has one. It costs money. */
import { randomUUID } from 'node:crypto';
import { errorMessage } from '@dstack/contract/error-message';
import type { Offer } from '@dstack/core';
import type { InstancePort, Observation } from '../instance-port.ts';
import type { Backend } from '../port.ts';
import { newOrder, REQUIREMENTS, withContainer } from './orders.ts';

export interface LiveOptions {
  readonly backend: Backend;
  /** Public key that may log in, one line. */
  readonly publicKey: string;
  readonly print: (line: string) => void;
  readonly delay: (ms: number) => Promise<void>;
  /** For this long a machine may boot, in milliseconds. */
  readonly bootMs: number;
}

const LOOK_MS = 10_000;
const MAX_RELEASES = 60;

/**
 * Orders the cheapest machine twice by one key, follows it until it is ready, and ends it. Returns what is left in
 * the account; throws if a step fails, after the machine was ended.
 */
export async function tryAccount(options: LiveOptions): Promise<readonly string[]> {
  const { backend, print } = options;
  const { instances } = backend;
  if (instances === null) throw new Error(`${backend.name} creates no machines`);
  for (const { name, ok, problem } of await backend.check()) {
    print(`${ok ? 'ok' : 'MISSING'}  ${name}${problem === null ? '' : `: ${problem}`}`);
    if (!ok) throw new Error(`a precondition is missing: ${name}`);
  }
  const { offers } = await backend.offers(REQUIREMENTS.met);
  const offer = cheapest(offers);
  print(`ok  ${offers.length} offers; the cheapest available is ${textOf(offer)}`);
  const server = randomUUID();
  const failure = await lifeOf(options, instances, { offer, server }).then(
    () => null,
    (error: unknown) => error,
  );
  const left = await cleared(options, instances, server);
  if (failure !== null) throw failure;
  return left;
}

async function lifeOf(
  options: LiveOptions,
  instances: InstancePort,
  { offer, server }: { readonly offer: Offer; readonly server: string },
): Promise<void> {
  const { backend, print, publicKey } = options;
  const plain = { ...newOrder(offer, server), authorizedKeys: [publicKey] };
  const order = backend.capabilities.container ? withContainer(plain) : plain;
  const { handle } = await instances.create(order);
  print(`ok  ordered machine ${handle.id}`);
  const again = await instances.create({ ...order, mayExist: true });
  if (again.handle.id !== handle.id) throw new Error(`the same order made ${again.handle.id} too`);
  print('ok  the same order made no second machine');
  const ready = await untilReady(options, () => instances.observe(handle, { facts: null }));
  print(`ok  ready at ${ready}`);
  const listed = await instances.list({ server });
  const tags = listed.find((one) => one.handle.id === handle.id)?.owner;
  if (tags?.instance !== order.owner.instance) throw new Error('the machine has not its tags');
  print('ok  it has its tags');
}

async function untilReady(
  { delay, bootMs, print }: LiveOptions,
  observe: () => Promise<Observation>,
): Promise<string> {
  let shown = '';
  for (let waited = 0; ; waited += LOOK_MS) {
    const seen = await observe();
    if (seen.state === 'ready') return seen.machine?.provisioningData.hostname ?? 'its address';
    if (seen.state === 'interrupted') throw new Error(`it ended: ${seen.text}`);
    const text = seen.state === 'pending' ? seen.text : 'not listed yet';
    if (text !== shown) print(`    ${text}`);
    shown = text;
    if (waited >= bootMs) throw new Error(`it was not ready after ${bootMs / 60_000} minutes`);
    await delay(LOOK_MS);
  }
}

/** Ends everything with the tags of this try; returns the ids of what is still there. */
async function cleared(
  { delay, print }: LiveOptions,
  instances: InstancePort,
  server: string,
): Promise<readonly string[]> {
  for (let round = 0; ; round++) {
    try {
      const left = await instances.list({ server });
      if (left.length === 0 || round >= MAX_RELEASES) {
        print(left.length === 0 ? 'ok  nothing is left' : `LEFT  ${left.length} machines`);
        return left.map(({ handle }) => handle.id);
      }
      for (const { handle } of left) {
        await instances.release(handle).catch((error: unknown) => print(errorMessage(error)));
      }
    } catch (error) {
      print(`LEFT?  the machines with the tag of server ${server}: ${errorMessage(error)}`);
      if (round >= MAX_RELEASES) throw error;
    }
    // Nothing keeps it from ending what costs money.
    await delay(LOOK_MS).catch(() => {});
  }
}

function cheapest(offers: readonly Offer[]): Offer {
  // Some providers report no capacity before they are asked for a machine.
  const open = offers.filter(
    ({ availability }) => availability === 'available' || availability === 'unknown',
  );
  const [offer] = open.toSorted((a, b) => a.price - b.price);
  if (!offer) throw new Error('the provider has no machine available now');
  return offer;
}

const textOf = ({ instance, region, price }: Offer): string =>
  `${instance.name} in ${region} at $${price} an hour`;
