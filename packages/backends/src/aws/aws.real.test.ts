import type { Moto } from '@dstack/testkit/cloud';
import { afterAll, beforeAll, describe } from 'vitest';
import { describeBackend } from '../base/testing/contract.suite.ts';
import { awsWorlds } from './testing/aws-world.ts';
import { contractWorld } from './testing/contract-world.ts';
import { describeCredentials } from './testing/credentials.suite.ts';
import { describeAwsGateways } from './testing/gateways.suite.ts';
import { describeInstances } from './testing/machines.suite.ts';
import { describeOffers } from './testing/offers.suite.ts';
import { describeReservations } from './testing/reservations.suite.ts';
import { describeResources } from './testing/resources.suite.ts';
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
    describeInstances(world);
    describeReservations(world);
    describeResources(world);
    describeCredentials(world);
  });
  describeAwsGateways(environment, () => moto);
  describeBackend('AWS', () => contractWorld(environment ?? '', moto));
});
