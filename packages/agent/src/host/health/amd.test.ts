import { describe, expect, it } from 'vitest';
import { amdHealth } from './amd.ts';
import { gpusOf } from './testing.ts';

const GPUS = gpusOf('amd', ['node 0000:05:00.0', 'node 0000:26:00.0']);
const LIST = JSON.stringify([
  { gpu: 0, bdf: '0000:05:00.0', uuid: 'b8ff74a1-0000-1000-80b3-6f5d8a3a39dc', kfd_id: 29122 },
  { gpu: 1, bdf: '0000:26:00.0', uuid: '6eff74a1-0000-1000-80ee-39fc8a0ca0ea', kfd_id: 51110 },
]);
const NONE = 'No bad pages found.';
const PAGE = { page_address: '0x5d8000', page_size: '4096', status: 'PENDING' };

const ecc = (first: unknown, second: unknown = 0) => [
  { gpu: 0, ecc: { total_correctable_count: 5, total_uncorrectable_count: first } },
  { gpu: 1, ecc: { total_correctable_count: 0, total_uncorrectable_count: second } },
];

function health(outputs: { list?: string; ecc?: unknown; badPages?: unknown }) {
  const text = (value: unknown) => (value === undefined ? null : JSON.stringify(value));
  return amdHealth(
    { list: outputs.list ?? LIST, ecc: text(outputs.ecc), badPages: text(outputs.badPages) },
    GPUS,
    (bdf) => `node ${bdf}`,
  );
}

describe('health of AMD GPUs', () => {
  it.each([
    ['both outputs', { ecc: ecc(0), badPages: [{ gpu: 0, retired: NONE, pending: NONE }] }],
    ['the newer form', { ecc: { gpu_data: ecc(0) }, badPages: { gpu_data: [] } }],
    ['a driver that counts no errors', { ecc: ecc('N/A', 'N/A'), badPages: [{ pending: 'N/A' }] }],
    ['the list alone', {}],
  ])('is good by %s', (_, outputs) => {
    expect(health(outputs)).toEqual({ status: 'healthy', message: null });
  });

  it('is bad if a GPU is no longer listed', () => {
    const list = JSON.stringify({ gpu_data: [JSON.parse(LIST)[1]] });
    expect(health({ list })).toEqual({
      status: 'failure',
      message: '1 of 2 GPUs is lost: GPU 0 (node 0000:05:00.0); reset the GPU or restart the host',
    });
  });

  it.each(['', '[{"gpu":0}]', 'AMDSMI_STATUS_FILE_ERROR'])('is not read from %j', (list) => {
    expect(() => health({ list })).toThrow();
  });

  it.each([
    ['memory errors', { ecc: ecc(0, 3) }, 'GPU 1 has had uncorrected memory errors (ECC)'],
    [
      'bad pages',
      { badPages: [{ gpu: 0, pending: [PAGE] }] },
      'GPU 0 will retire defective memory at its next reset; reset it when it is free',
    ],
    [
      'one bad page, in the form of older versions',
      { badPages: [{ gpu: 0, pending: PAGE }] },
      'GPU 0 will retire defective memory at its next reset; reset it when it is free',
    ],
  ])('is a warning by %s', (_, outputs, message) => {
    expect(health(outputs)).toEqual({ status: 'warning', message });
  });
});
