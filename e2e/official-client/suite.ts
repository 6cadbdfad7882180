import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { isFinished, newInstallation, untilRun } from '../installation.ts';
import { freePort } from '../serving.ts';
import { arrayFlows } from './flows/arrays.ts';
import { attachFlows } from './flows/attach.ts';
import { gatewayFlows } from './flows/gateways.ts';
import { inspectionFlows } from './flows/inspection.ts';
import { offerFlows } from './flows/offers.ts';
import { fleetFlows, projectFlows } from './flows/projects-and-fleets.ts';
import { pythonFlows } from './flows/python-api.ts';
import { queueFlows } from './flows/queue.ts';
import { resourceFlows } from './flows/resources.ts';
import { runFlows } from './flows/runs.ts';
import { OfficialClient, officialClient } from './official-client.ts';

/**
 * The state that the flows of one version share. They run in order: later ones use what earlier
 * ones created.
 */
export interface Scene {
  readonly client: OfficialClient;
  /** The server, with a private home. */
  readonly server: Installation;
}

/** Registers one flow; `scene` is ready when it runs. */
export type Flow = (name: string, run: (scene: Scene) => Promise<void>) => void;

/** All flows of older clients, too, of which otherwise those are tried that submit and follow work. */
const ALL = process.env.DSTACK_TEST_ALL_FLOWS === '1';

/** Drives our server with that version of the official client, and reports how many flows pass. */
export function describeOfficialClient(version: string): void {
  const { path, missing } = officialClient(version);
  if (path === null) {
    console.warn(`SKIPPED: the official client ${version} could not be installed.\n${missing}`);
    describe.skip(`the official client ${version} (not installed)`, () => {
      it('works against this server', () => {});
    });
    return;
  }
  describe(`the official client ${version}`, () => {
    let scene: Scene;
    let total = 0;
    let passed = 0;
    beforeAll(async () => {
      const port = String(await freePort());
      const server = newInstallation({ DSTACK_GATEWAY_HTTP_PORT: port });
      await server.startServer();
      // Inside the installation, so that processes which the client leaves running are ended with
      // it.
      const client = new OfficialClient(path, join(server.home, 'client'));
      scene = { client, server };
    });
    afterAll(async () => {
      console.info(`official client ${version}: ${passed} of ${total} flows passed`);
      await scene?.server.dispose();
    });

    const flow: Flow = (name, run) => {
      total += 1;
      it(name, async ({ onTestFailed }) => {
        // Runs that a failed flow leaves behind would keep later ones waiting for the instance.
        onTestFailed(() => abortAll(scene.server));
        await run(scene);
        passed += 1;
      });
    };
    const isNewest = version.startsWith('0.22.');
    const isWhole = isNewest || ALL;
    for (const register of [
      projectFlows,
      fleetFlows,
      ...(isWhole ? [offerFlows] : []),
      runFlows,
      attachFlows,
      ...(isWhole ? [inspectionFlows, resourceFlows] : []),
      pythonFlows,
      ...(isWhole ? [arrayFlows] : []),
      // Waiting work, and gateways on the machine of the server, are tried with the newest version only.
      ...(isNewest ? [queueFlows, gatewayFlows] : []),
    ])
      register(flow);
  });
}

async function abortAll(server: Installation): Promise<void> {
  const active = await server.api<ListedRun[]>('/api/runs/list', { only_active: true });
  const runs_names = active.map(({ run_spec }) => run_spec.run_name);
  await server.api('/api/project/main/runs/stop', { runs_names, abort: true });
  for (const name of runs_names) await untilRun(server, name, isFinished);
}

interface ListedRun {
  readonly run_spec: { readonly run_name: string };
}
