/** A gateway of one pod in the cluster, with a certificate that it requests itself. */

import type { Authority } from '@dstack/testkit/certificate-authority';
import { expect, vi } from 'vitest';
import { configuration, isRunning, untilRun } from '../installation.ts';
import {
  type Answer,
  askAt,
  gatewayAddress,
  gatewayPods,
  PATIENCE,
} from '../kubernetes-gateway.ts';
import type { World } from './world.ts';

export interface SafeGateway {
  /** One request by TLS, over a connection of its own. */
  ask(): Promise<Answer>;
  /** Like `ask`, at the address that the gateway has now; the server must be there. */
  askAnew(): Promise<Answer>;
  /** Fingerprint of its first certificate. */
  readonly certificate: string | null;
  pods(): Promise<readonly string[]>;
  remove(): Promise<void>;
}

/** `service` is a run called `safe`. */
export async function safeGateway(
  { home, cluster }: Pick<World, 'home' | 'cluster'>,
  authority: Authority,
  service: string,
): Promise<SafeGateway> {
  const gateway = configuration(
    home,
    'sealed.dstack.yml',
    `type: gateway\nname: sealed\nbackend: kubernetes\nregion: ${cluster.context}\ndomain: '*.safe.test'\nbackend_settings: {kubernetes: {traffic_policy: Cluster}}\n`,
  );
  expect(await home.ok('apply', '-f', gateway, '-y')).toContain('running');
  let address = await gatewayAddress(home, 'sealed');
  await authority.setAddress(address);
  const file = configuration(home, 'safe.dstack.yml', service);
  await home.ok('apply', '-f', file, '-y', '-d', '--fleet', 'pods');
  await untilRun(home, 'safe', isRunning);
  const ca = await authority.roots();
  const ask = () => askAt(address, 'safe.safe.test', '/', ca);
  await vi.waitFor(async () => expect(await ask()).toMatchObject({ status: 200 }), PATIENCE);
  return {
    ask,
    askAnew: async () => {
      address = await gatewayAddress(home, 'sealed');
      return await ask();
    },
    certificate: (await ask()).certificate,
    pods: () => gatewayPods(cluster, 'sealed'),
    remove: async () => {
      await home.ok('stop', 'safe', '-y', '--wait');
      await home.ok('delete', '-f', 'sealed.dstack.yml', '-y');
    },
  };
}
