import type { Moto } from '@dstack/testkit/cloud';
import { afterAll, beforeAll, describe } from 'vitest';
import { describeBackend } from '../base/testing/contract.suite.ts';
import { awsWorlds } from './suites/aws-world.ts';
import { contractWorld } from './suites/contract-world.ts';
import { describeCredentials } from './suites/credentials.suite.ts';
import { describeAwsGateways } from './suites/gateways.suite.ts';
import { describeMachines } from './suites/machines.suite.ts';
import { describeOffers } from './suites/offers.suite.ts';
import { describeReservations } from './suites/reservations.suite.ts';
import { describeResources } from './suites/resources.suite.ts';
import { motoAtHand } from './testing.ts';

const { environment, start } = motoAtHand('The adapter of AWS');

/** All suites share one moto: its first answers take seconds of a processor. */
describe.skipIf(environment === null)('AWS', () => {
  let moto: Moto;
  beforeAll(async () => {
    moto = await start();
  });
  afterAll(() => moto?.close());

  describe('the adapter', () => {
    const world = awsWorlds(environment, () => moto);
    describeOffers(world);
    describeMachines(world);
    describeReservations(world);
    describeResources(world);
    describeCredentials(world);
  });
  describeAwsGateways(environment, () => moto);
  describeBackend('AWS', () => contractWorld(environment ?? '', moto));
});
