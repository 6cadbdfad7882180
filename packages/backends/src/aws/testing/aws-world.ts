/** AWS by moto, the adapter before it, and what all suites do with them. Each test has an empty account. */
import { Requirements } from '@dstack/contract/wire';
import type { InstanceHandle, Offer } from '@dstack/core';
import {
  type Aws,
  type AwsOptions,
  type ManualClock,
  type Moto,
  manualClock,
  startAws,
} from '@dstack/testkit/cloud';
import { afterEach, beforeEach } from 'vitest';
import type { InstanceOrder } from '../../base/instance-port.ts';
import type { Backend } from '../../base/port.ts';
import { newOrder, REQUIREMENTS } from '../../base/testing/orders.ts';
import { passingPace } from '../../base/testing/passing-pace.ts';
import type { AwsCredentials } from '../aws-client.ts';
import type { AwsSettings } from '../settings.ts';
import { awsAt, REGION } from '../testing.ts';

/** Longer than a machine boots. */
export const OLD_S = 60;
export const LEASE_NOTE = 'its idle machines end by themselves after 2h without the server';
export const SPOT_NOTE = "spot prices are those of EC2's market, less than a minute old";

export class AwsWorld {
  readonly moto: Moto;
  readonly clock: ManualClock;
  readonly #environment: string;
  #aws: Aws;
  #backend: Backend;

  private constructor(parts: {
    readonly environment: string;
    readonly moto: Moto;
    readonly clock: ManualClock;
    readonly aws: Aws;
  }) {
    this.moto = parts.moto;
    this.clock = parts.clock;
    this.#environment = parts.environment;
    this.#aws = parts.aws;
    this.#backend = this.backendWith();
  }

  static async begin(environment: string, moto: Moto): Promise<AwsWorld> {
    const clock = manualClock();
    const aws = await startAws(environment, { moto, clock, regions: [REGION, 'us-east-2'] });
    return new AwsWorld({ environment, moto, clock, aws });
  }

  get aws(): Aws {
    return this.#aws;
  }

  get backend(): Backend {
    return this.#backend;
  }

  /** Another account, with other options. */
  async restart(options: Pick<AwsOptions, 'hosts'>): Promise<void> {
    const { moto, clock } = this;
    await this.#aws.close();
    this.#aws = await startAws(this.#environment, { ...options, moto, clock, regions: [REGION] });
    this.#backend = this.backendWith();
  }

  async close(): Promise<void> {
    await this.#aws.close();
  }

  backendWith(settings: Partial<AwsSettings> = {}, keys?: AwsCredentials): Backend {
    const pace = passingPace(this.clock);
    return awsAt({ aws: this.aws, pace, settings, ...(keys && { keys }) });
  }

  async offers(resources: object = {}, of = this.backend): Promise<readonly Offer[]> {
    return (await of.offers(Requirements.parse({ resources }))).offers;
  }

  async order(change: Partial<InstanceOrder> = {}, of = this.backend): Promise<InstanceOrder> {
    const [offer = null] = (await of.offers(REQUIREMENTS.met)).offers;
    return { ...newOrder(offer), authorizedKeys: ['ssh-ed25519 AAAAC3Nz main\n'], ...change };
  }

  async create(given: InstanceOrder, of = this.backend): Promise<InstanceHandle> {
    const created = await of.instances?.create(given);
    if (!created) throw new Error('it was not created');
    return created.handle;
  }

  /** The error that a creation has thrown. */
  async failure(given: InstanceOrder, of = this.backend): Promise<Error> {
    return (await this.create(given, of).catch((error: unknown) => error)) as Error;
  }

  orders(): Aws['log'] {
    return this.aws.log.filter(({ action }) => action === 'RunInstances');
  }
}

/** Call it within `describe`. `moto`: it runs before the first test. */
export function awsWorlds(environment: string | null, moto: () => Moto): () => AwsWorld {
  let world: AwsWorld;
  beforeEach(async () => {
    world = await AwsWorld.begin(environment ?? '', moto());
  });
  afterEach(() => world.close());
  return () => world;
}
