import type { Installation } from '@dstack/testkit';
import { hostsMissing, startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  configuration,
  isFinished,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';

const missing = hostsMissing();
if (missing && process.env.CI)
  throw new Error(`SSH fleets cannot be tested: ${missing} is missing`);
if (missing) console.warn(`SSH fleets are NOT tested: ${missing} is missing`);

const IMAGE = 'image: busybox:test\n';

interface ShownInstance {
  readonly name: string;
  readonly status: string;
  readonly unreachable: boolean;
  readonly hostname: string | null;
  readonly termination_reason: string | null;
  readonly termination_reason_message: string | null;
  readonly total_blocks: number | null;
  readonly instance_type: { readonly resources: { readonly cpus: number } } | null;
}

interface ShownFleet {
  readonly status: string;
  readonly instances: readonly ShownInstance[];
}

describe.skipIf(missing !== null)('an SSH fleet', () => {
  let machines: TestHosts;
  let first: TestHost;
  let second: TestHost;
  let bare: TestHost;
  let home: Installation;
  beforeAll(async () => {
    machines = await startHosts({ count: 3, docker: [1, 2] });
    [first, second, bare] = machines.hosts as [TestHost, TestHost, TestHost];
    await machines.busybox('busybox:test', [first, second]);
    home = newInstallation();
    await home.startServer();
  });
  afterAll(async () => {
    await home?.dispose();
    machines?.close();
  });

  async function apply(name: string, hosts: readonly string[], more = ''): Promise<void> {
    const yaml = `type: fleet
name: ${name}
ssh_config:
  user: root
  identity_file: ${machines.keyPath}
  hosts: ${JSON.stringify(hosts)}
${more}`;
    const file = configuration(home, `${name}.dstack.yml`, yaml);
    await home.ok('apply', '-f', file, '-y', '-d');
  }

  const fleet = (name: string) => home.api<ShownFleet>('/api/project/main/fleets/get', { name });

  async function untilFleet(name: string, is: (fleet: ShownFleet) => boolean): Promise<ShownFleet> {
    for (;;) {
      const shown = await fleet(name);
      if (is(shown)) return shown;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  const settled = ({ instances }: ShownFleet) =>
    instances.every(({ status }) => ['idle', 'busy', 'terminated'].includes(status));

  it('is idle once its hosts have their agents', async () => {
    await apply('pool', [first.address, second.address]);
    const { instances } = await untilFleet('pool', settled);
    expect(instances).toMatchObject([
      { name: 'pool-0', status: 'idle', hostname: first.address, total_blocks: 1 },
      { name: 'pool-1', status: 'idle', hostname: second.address },
    ]);
    expect(instances[0]?.instance_type?.resources.cpus).toBeGreaterThan(0);
  });
});
