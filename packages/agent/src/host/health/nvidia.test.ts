import { describe, expect, it } from 'vitest';
import { nvidiaHealth, QUERIES, refusesFields } from './nvidia.ts';
import { gpusOf } from './testing.ts';

const GPUS = gpusOf('nvidia', ['GPU-a', 'GPU-b']);
const [ALL = [], , BASE = []] = QUERIES;

const ended = (stdout: string, code = 0, stderr = '') =>
  ({ kind: 'ended', code, stdout, stderr }) as const;
const health = (stdout: string, code = 0) => nvidiaHealth(ended(stdout, code), ALL, GPUS);

const GOOD = '1, GPU-b, 00000000:52:00.0, 29, 0, No, No, No';
const first = (rest: string) => `0, GPU-a, 00000000:4F:00.0, ${rest}\n${GOOD}\n`;
const RESET = 'reset the GPU or restart the host';

describe('health of NVIDIA GPUs', () => {
  it.each([
    ['numbers', first('28, 0, No, No, No')],
    ['what a GPU without ECC prints', first('28, [N/A], [N/A], [N/A], [N/A]')],
    ['what an older driver prints', first('28, [Not Supported], [Not Supported], N/A, N/A')],
  ])('is good by %s', (_, text) => {
    expect(health(text)).toEqual({ status: 'healthy', message: null });
  });

  it.each([
    ['GPU is lost', '[GPU is lost], [GPU is lost], No, [GPU is lost], [GPU is lost]'],
    ['GPU requires reset', '[GPU requires reset], 0, No, No, No'],
  ])('is bad where a value reads %s', (problem, rest) => {
    expect(health(first(rest))).toEqual({
      status: 'failure',
      message: `GPU 0 (GPU-a): ${problem}; ${RESET}`,
    });
  });

  it.each([
    [
      'Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.  Reboot the system to recover this GPU\n',
      'GPU 0000:02:00.0 (GPU is lost)',
    ],
    [
      'Unable to determine the device handle for GPU0000:17:00.0: Unknown Error\nNo devices were found\n',
      'GPU 0000:17:00.0 (Unknown Error)',
    ],
  ])('is bad where the tool cannot open a GPU: %s', (text, which) => {
    expect(health(text, 15)).toEqual({
      status: 'failure',
      message: `1 of 2 GPUs is lost: ${which}; ${RESET}`,
    });
  });

  it('is bad if a GPU is no longer listed', () => {
    expect(health(`${GOOD}\n`)).toEqual({
      status: 'failure',
      message: `1 of 2 GPUs is lost: GPU 0 (GPU-a); ${RESET}`,
    });
    expect(health('').message).toBe(`2 of 2 GPUs are lost: GPU 0 (GPU-a), GPU 1 (GPU-b); ${RESET}`);
  });

  it('is bad when the tool does not reach the driver', () => {
    const text =
      'Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.183\n';
    expect(health(text, 18)).toEqual({
      status: 'failure',
      message:
        'nvidia-smi fails: Failed to initialize NVML: Driver/library version mismatch; restart the host if its driver was updated',
    });
  });

  it.each([
    ['failure', '28, 0, No, No, Yes', 'no spare memory rows'],
    ['warning', '28, 0, No, Yes, No', 'at its next reset'],
    ['warning', '28, 0, Yes, [N/A], [N/A]', 'at its next reset'],
    ['warning', '28, 2, No, No, No', 'uncorrected memory errors (ECC)'],
    ['warning', '[Unknown Error], 0, No, No, No', 'does not report its state'],
  ])('is a %s by %s', (status, rest, text) => {
    expect(health(first(rest))).toEqual({ status, message: expect.stringContaining(text) });
  });

  it('names the worst first', () => {
    const text = '0, GPU-a, 00000000:4F:00.0, 28, 2, No, No, No\n';
    expect(health(text)).toEqual({
      status: 'failure',
      message: `1 of 2 GPUs is lost: GPU 1 (GPU-b); ${RESET}; GPU 0 (GPU-a) has had uncorrected memory errors (ECC) since its driver was loaded`,
    });
  });

  it('is not read from other columns', () => {
    expect(() => health('NVIDIA A10G, 23028, GPU-a, 550.54\n')).toThrow('other columns');
  });

  it('is queried with fewer fields if the driver refuses some', () => {
    const refusal = 'Field "remapped_rows.pending" is not a valid field to query.\n\n';
    expect(refusesFields(ended(refusal, 2))).toBe(true);
    expect(refusesFields(ended(first('28, 0, No, No, No')))).toBe(false);
    const few = '0, GPU-a, 0000:02:00.0, 28\n1, GPU-b, 0000:03:00.0, 29\n';
    expect(nvidiaHealth(ended(few), BASE, GPUS).status).toBe('healthy');
  });
});
