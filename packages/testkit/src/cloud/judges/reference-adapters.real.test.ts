/** The adapters of dstack 0.22.5, which we did not write, are clients of our personalities. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pythonEnvironment } from '../../python-environment.ts';
import type { PersonalityName } from '../personalities/index.ts';
import { type Cloud, startCloud } from '../start-cloud.ts';

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, 'reference-compute.py');
const VERSION = '0.22.5';

// The same environment as that of the official client.
const python = pythonEnvironment(`dstack==${VERSION}`, join('official-client', VERSION));
/** The adapter of Verda uses the provider's own SDK. */
const sdk = pythonEnvironment('verda==1.25.0', join('verda-sdk', '1.25.0'));
const missing = python.missing ?? sdk.missing;
if (missing) console.warn(`Simulated clouds are NOT judged: ${missing}`);

/** Where an environment has its packages. */
function packagesIn(path: string): string {
  const [version = ''] = readdirSync(join(path, 'lib'));
  return join(path, 'lib', version, 'site-packages');
}

/** Cases with everything at hand, and cases in which the provider refuses. */
const CASES: Readonly<Record<string, readonly [PersonalityName, string, string]>> = {
  lambda: ['lambda', 'us-east-1', 'gpu_1x_a10'],
  'lambda, sold out': ['lambda', 'us-west-1', 'gpu_1x_a10'],
  digitalocean: ['digitalocean', 'nyc2', 's-1vcpu-1gb'],
  'digitalocean with a GPU': ['digitalocean', 'tor1', 'gpu-h100x1-80gb'],
  'digitalocean without capacity': ['digitalocean', 'nyc2', 's-1vcpu-1gb'],
  amddevcloud: ['amddevcloud', 'tor1', 'gpu-mi300x1-192gb-devcloud'],
  hotaisle: ['hotaisle', 'us-michigan-1', 'vm-mi300x-1'],
  'hotaisle, sold out': ['hotaisle', 'us-michigan-1', 'vm-mi300x-1'],
  crusoe: ['crusoe', 'us-east1-a', 's1a.20x'],
  'crusoe with GPUs': ['crusoe', 'eu-iceland1-a', 'h100-80gb-sxm-ib.8x'],
  'crusoe, sold out': ['crusoe', 'us-east1-a', 's1a.20x'],
  verda: ['verda', 'FIN-01', 'CPU.4V.16G'],
  'verda with a GPU, on spot': ['verda', 'ICE-01', '1V100.6V'],
  'verda, sold out': ['verda', 'FIN-01', 'CPU.4V.16G'],
  vultr: ['vultr', 'ewr', 'vc2-2c-4gb'],
  'vultr with GPUs, bare metal': ['vultr', 'ams', 'vbm-112c-2048gb-8-h100-gpu'],
  'vultr, sold out': ['vultr', 'ewr', 'vc2-2c-4gb'],
  runpod: ['runpod', 'US-KS-2', 'NVIDIA H100 80GB HBM3'],
  'runpod, sold out': ['runpod', 'US-KS-2', 'NVIDIA H100 80GB HBM3'],
  vastai: ['vastai', 'de-bavaria', 'RTX4090'],
  'vastai, sold out': ['vastai', 'de-bavaria', 'RTX4090'],
};

describe.skipIf(missing !== null)(`the adapter of dstack ${VERSION}`, () => {
  const clouds = new Map<string, Cloud>();
  let steps: readonly Readonly<Record<string, unknown>>[] = [];
  beforeAll(async () => {
    const cases: string[] = [];
    for (const [name, [personality, region, type_name]] of Object.entries(CASES)) {
      // The reference keeps no limits on calls: it would be refused by Lambda's.
      const cloud = await startCloud({ personality, limits: false });
      cloud.faults.set({ boot_seconds: [0.3, 0.3] });
      clouds.set(name, cloud);
      const { url, apiKey: key } = cloud;
      cases.push(JSON.stringify({ name, adapter: personality, url, key, region, type_name }));
    }
    clouds.get('lambda, sold out')?.sellOut('gpu_1x_a10', 'us-west-1');
    clouds.get('runpod, sold out')?.sellOut('1x NVIDIA H100 80GB HBM3', 'US-KS-2');
    clouds.get('digitalocean without capacity')?.faults.set({ no_capacity: 1 });
    clouds.get('hotaisle, sold out')?.faults.set({ no_capacity: 1 });
    clouds.get('crusoe, sold out')?.faults.set({ no_capacity: 1 });
    clouds.get('verda, sold out')?.faults.set({ no_capacity: 1 });
    clouds.get('vultr, sold out')?.faults.set({ no_capacity: 1 });
    clouds.get('vastai, sold out')?.faults.set({ no_capacity: 1 });
    const program = join(python.path ?? '', 'bin', 'python');
    const env = { ...process.env, PYTHONPATH: packagesIn(sdk.path ?? '') };
    const { stdout } = await run(program, [SCRIPT, ...cases], { timeout: 170_000, env });
    steps = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  });
  afterAll(() => Promise.all([...clouds.values()].map((cloud) => cloud.close())));

  const stepsOf = (name: string) => steps.filter((step) => step.case === name);

  it.each([
    ['lambda', 0],
    ['digitalocean', 0],
    ['digitalocean with a GPU', 1],
    ['amddevcloud', 1],
    ['hotaisle', 1],
    ['crusoe', 0],
    ['crusoe with GPUs', 8],
    ['verda', 0],
    ['verda with a GPU, on spot', 1],
    ['vultr', 0],
    ['vultr with GPUs, bare metal', 8],
  ])('makes, follows and ends a machine of %s', (name, gpus) => {
    const { history, account, log } = clouds.get(name) as Cloud;
    const [id] = history().map((event) => event.slice(1));
    expect(stepsOf(name)).toMatchObject([
      { step: 'valid', ok: true },
      { step: 'offer', availability: 'available', gpus },
      { step: 'created', id },
      { step: 'ready', hostname: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/) },
      { step: 'ended' },
    ]);
    expect(history()).toEqual([`+${id}`, `-${id}`]);
    // Orders at Crusoe and Vultr bring their keys; those at Verda are removed with their machine.
    expect(account.keys.all()).toHaveLength(/^(crusoe|verda|vultr)/.test(name) ? 0 : 1);
    // It asks for the bare-metal machines of Hot Aisle too, which are not simulated.
    const own = log.filter(({ path }) => !path.includes('/bare_metal/'));
    // It looks for a machine of Crusoe until there is none.
    if (name.startsWith('crusoe')) expect(own.pop()?.status).toBe(404);
    expect(own.every(({ status }) => status !== null && status < 300)).toBe(true);
  });

  it('makes, follows and ends a pod of RunPod, with a volume and credentials for its image', () => {
    const { history, account, log } = clouds.get('runpod') as Cloud;
    const [id] = history().map((event) => event.slice(1));
    expect(stepsOf('runpod')).toMatchObject([
      { step: 'valid', ok: true },
      { step: 'volume', size: 20 },
      { step: 'created', id },
      { step: 'ready', hostname: expect.any(String), port: expect.any(Number) },
      { step: 'ended', registries: [], again: false },
      { step: 'deleted', volume: true },
    ]);
    expect(history()).toEqual([`+${id}`, `-${id}`]);
    expect(account.volumes.all()).toEqual([]);
    // It looks for the pod until there is none.
    expect(log.filter(({ status }) => status !== 404 && (status ?? 500) >= 300)).toEqual([]);
  });

  it('shows the refusal of RunPod with its text', () => {
    const text = expect.stringContaining('no longer any instances available');
    expect(stepsOf('runpod, sold out').at(-1)).toMatchObject({
      ...{ step: 'refused', error: 'RunpodV2ClientError', text },
    });
    expect(clouds.get('runpod, sold out')?.vms()).toBe(0);
  });

  it('finds, makes, follows and ends an instance of Vast.ai, on demand and spot', () => {
    const { history, log } = clouds.get('vastai') as Cloud;
    const [first, second] = history().flatMap((event) => (event[0] === '+' ? event.slice(1) : []));
    const ready = { step: 'ready', hostname: '192.0.2.1', port: 20_000 };
    expect(stepsOf('vastai')).toMatchObject([
      { step: 'valid', ok: true },
      { step: 'offers', regions: ['de-bavaria'], gpus: ['RTX4090'], spot: [false, true] },
      { ...{ step: 'created', id: first } },
      ready,
      { step: 'ended' },
      { ...{ step: 'created', id: second } },
      ready,
      { step: 'ended' },
    ]);
    expect(history()).toEqual([`+${first}`, `-${first}`, `+${second}`, `-${second}`]);
    const bids = log.filter(({ method }) => method === 'PUT').map(({ body }) => body);
    expect(bids).toMatchObject([{ price: null }, { price: expect.any(Number) }]);
    expect(log.every(({ status }) => status !== null && status < 300)).toBe(true);
  });

  it('takes the refusal of Vast.ai for missing capacity, with its text', () => {
    const text = expect.stringContaining('no_such_ask');
    expect(stepsOf('vastai, sold out').at(-1)).toMatchObject({
      ...{ step: 'refused', error: 'NoCapacityError', text },
    });
    expect(clouds.get('vastai, sold out')?.vms()).toBe(0);
  });

  it('takes the refusal of DigitalOcean for missing capacity, with its text', () => {
    const name = 'digitalocean without capacity';
    const text = 'Size is not available in this region.';
    expect(stepsOf(name).at(-1)).toMatchObject({ step: 'refused', error: 'NoCapacityError', text });
    expect(clouds.get(name)?.history()).toEqual([]);
  });

  it('is refused by Hot Aisle where no machine is left', () => {
    expect(stepsOf('hotaisle, sold out').at(-1)).toMatchObject({
      ...{ step: 'refused', error: 'HTTPError', text: expect.stringContaining('404') },
    });
    expect(clouds.get('hotaisle, sold out')?.history()).toEqual([]);
  });

  it('learns from the operation of an order at Crusoe that nothing is left', () => {
    const refused = { step: 'refused', error: 'NoCapacityError' };
    expect(stepsOf('crusoe, sold out').at(-1)).toMatchObject(refused);
    expect(clouds.get('crusoe, sold out')?.history()).toEqual([]);
  });

  it('is refused by Verda where nothing is left, and leaves neither its key nor its script', () => {
    const text = expect.stringContaining('No capacity available');
    const refused = { step: 'refused', error: 'NoCapacityError', text };
    expect(stepsOf('verda, sold out').at(-1)).toMatchObject(refused);
    const { history, account } = clouds.get('verda, sold out') as Cloud;
    expect([history(), account.keys.all()]).toEqual([[], []]);
  });

  it('is refused by Vultr where a plan is sold out, with its text', () => {
    const text = expect.stringContaining('Plan is not available in the selected region.');
    expect(stepsOf('vultr, sold out').at(-1)).toMatchObject({ step: 'refused', text });
    expect(clouds.get('vultr, sold out')?.history()).toEqual([]);
  });

  it('shows a sold-out region of Lambda as not available', () => {
    const done = stepsOf('lambda, sold out');
    expect(done[1]).toMatchObject({ step: 'offer', availability: 'not_available' });
    expect(done.at(-1)).toMatchObject({ step: 'refused', error: 'HTTPError' });
  });
});
