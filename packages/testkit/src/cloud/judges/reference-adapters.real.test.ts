/** The adapters of dstack 0.22.5, which we did not write, are clients of our personalities. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { pythonEnvironment } from '../../python-environment.ts';
import type { PersonalityName } from '../personalities/index.ts';
import { type Cloud, startCloud } from '../start-cloud.ts';

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, 'reference-compute.py');
const VERSION = '0.22.5';

// The same environment as that of the official client.
const python = pythonEnvironment(`dstack==${VERSION}`, join('official-client', VERSION));
if (python.missing) console.warn(`Simulated clouds are NOT judged: ${python.missing}`);

describe.skipIf(python.missing !== null)(`the adapter of dstack ${VERSION}`, () => {
  let cloud: Cloud | null = null;
  afterEach(async () => {
    await cloud?.close();
    cloud = null;
  });

  async function steps(adapter: PersonalityName, region: string, type: string) {
    const { url = '', apiKey = '' } = cloud ?? {};
    const program = join(python.path ?? '', 'bin', 'python');
    const args = [SCRIPT, adapter, url, apiKey, region, type];
    const { stdout } = await run(program, args, { timeout: 120_000 });
    const lines = stdout.trim().split('\n');
    return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  }

  it.each([
    ['lambda', 'us-east-1', 'gpu_1x_a10', 0],
    ['digitalocean', 'nyc2', 's-1vcpu-1gb', 0],
    ['digitalocean', 'tor1', 'gpu-h100x1-80gb', 1],
    ['amddevcloud', 'tor1', 'gpu-mi300x1-192gb-devcloud', 1],
  ] as const)(
    'of %s makes, follows and ends a machine in %s',
    async (adapter, region, type, gpus) => {
      // The reference keeps no limits on calls: it would be refused by Lambda's.
      cloud = await startCloud({ personality: adapter, limits: false });
      cloud.faults.set({ boot_seconds: [0.3, 0.3] });
      const done = await steps(adapter, region, type);
      const [id] = cloud.history().map((event) => event.slice(1));
      expect(done).toEqual([
        { step: 'valid', ok: true },
        { step: 'offer', availability: 'available', gpus },
        { step: 'created', id },
        { step: 'ready', hostname: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/) },
        { step: 'ended' },
      ]);
      expect(cloud.history()).toEqual([`+${id}`, `-${id}`]);
      expect(cloud.account.keys.all()).toHaveLength(1);
      expect(cloud.log.every(({ status }) => status !== null && status < 300)).toBe(true);
    },
  );

  it('of digitalocean reports missing capacity with the text of the provider', async () => {
    cloud = await startCloud({ personality: 'digitalocean' });
    cloud.faults.set({ no_capacity: 1 });
    const done = await steps('digitalocean', 'nyc2', 's-1vcpu-1gb');
    const text = 'Size is not available in this region.';
    expect(done.at(-1)).toEqual({ step: 'refused', error: 'NoCapacityError', text });
    expect(cloud.vms()).toBe(0);
  });

  it('of lambda shows a sold-out region as not available', async () => {
    cloud = await startCloud({ personality: 'lambda', limits: false });
    cloud.sellOut('gpu_1x_a10', 'us-east-1');
    const done = await steps('lambda', 'us-east-1', 'gpu_1x_a10');
    expect(done[1]).toMatchObject({ availability: 'not_available' });
    expect(done.at(-1)).toMatchObject({ step: 'refused', error: 'HTTPError' });
  });
});
