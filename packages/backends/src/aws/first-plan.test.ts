import { Requirements } from '@dstack/contract/wire';
import { type Cloud, startCloud } from '@dstack/testkit/cloud';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BackendHost, OpenedBackend } from '../base/kind.ts';
import { awsKind } from './aws-kind.ts';
import { LISTED } from './testing.ts';

const WANTED = Requirements.parse({ resources: { cpu: '2', memory: '2GB..', disk: '..200GB' } });
const NOT_YET = /^AWS has not answered yet, so these are the prices of the catalogue/;

let cloud: Cloud;
let opened: OpenedBackend;
beforeEach(async () => {
  cloud = await startCloud({ personality: 'aws' });
  const facts = { get: async () => null, set: async () => {} };
  const host = { facts, catalog: new Map([['aws', LISTED]]) } as unknown as BackendHost;
  const env = { DSTACK_BACKEND_AWS_ENDPOINT: cloud.url };
  const opener = await awsKind.configure(env, { url: null }).load(host);
  const creds = { type: 'access_key', access_key: cloud.apiKey, secret_key: 'secret' };
  const config = { type: 'aws', regions: ['us-east-1'], creds };
  opened = await opener.open(config, 'secret', { isOperators: true });
});
afterEach(async () => {
  opened.close();
  await cloud.close();
});

const plan = async () => {
  const { offers, notes } = await opened.backend.offers(WANTED);
  const types = new Set(offers.map(({ instance }) => instance.name));
  const spot = offers.filter(({ instance }) => instance.resources.spot).map(({ price }) => price);
  return {
    types,
    notes,
    spot: new Set(spot),
    zones: offers.flatMap((offer) => offer.availability_zones ?? []),
  };
};

it('a plan before EC2 has answered shows the types and prices of the catalogue, and the next one those of EC2', async () => {
  cloud.faults.set({ hold: 'request' });
  const first = await plan();
  expect(first.types).toEqual(new Set(['t3.small', 'm5.large']));
  expect(first.zones).toEqual([]);
  expect(first.notes).toContainEqual(expect.stringMatching(NOT_YET));
  cloud.faults.set({});
  await expect
    .poll(async () => (await plan()).notes, { timeout: 8000 })
    .not.toContainEqual(expect.stringMatching(NOT_YET));
  const next = await plan();
  expect(next.types).toEqual(first.types);
  expect(next.zones).toContain('us-east-1a');
  expect(next.notes).toContainEqual(
    expect.stringMatching(/^spot prices are those of EC2's market/),
  );
  expect(next.spot).toEqual(new Set([0.0208 / 4, 0.096 / 4]));
});

it('an offer of such a plan is ordered in a zone that has a subnet', async () => {
  cloud.faults.set({ hold: 'request' });
  const { offers } = await opened.backend.offers(WANTED);
  const offer = offers.find(({ instance }) => !instance.resources.spot) ?? null;
  cloud.faults.set({});
  const owner = { server: 's', project: 'p', fleet: 'f', instance: 'f-0' };
  const created = await opened.backend.instances?.create({
    ...{ key: 'instance.create:1:0', instanceId: 'i', owner, offer, authorizedKeys: [], tags: {} },
    ...{ reservation: null, placementGroup: null, volumes: [], group: null },
  });
  expect(cloud.account.vms.get(created?.handle.id ?? '')?.type.name).toBe(offer?.instance.name);
});
