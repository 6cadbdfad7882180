import { describe, expect, it } from 'vitest';
import { dcgmHealth } from './dcgm.ts';

const report = (body: object) => JSON.stringify({ body, header: ['Health Monitor Report'] });

describe('health by DCGM', () => {
  it('is good', () => {
    expect(dcgmHealth(report({ 'Overall Health': { value: 'Healthy' } }))).toEqual({
      status: 'healthy',
      message: null,
    });
  });

  it('is the result of DCGM for the whole host, with each incident', () => {
    const errors = (children: object) => ({ children: { Errors: { children } } });
    const GPU = {
      children: {
        0: {
          ...errors({
            'PCIe system': {
              value: 'Warning',
              overflow: ['Detected 99999 PCIe replays per minute for GPU 0. Reseat', 'the GPU.'],
            },
          }),
          value: 'Warning',
        },
        1: {
          ...errors({ 'Memory system': { value: 'Failure', overflow: ['Detected a DBE.'] } }),
          value: 'Failure',
        },
      },
    };
    expect(dcgmHealth(report({ GPU, 'Overall Health': { value: 'Failure' } }))).toEqual({
      status: 'failure',
      message:
        'GPU 1, Memory system: Detected a DBE.; GPU 0, PCIe system: Detected 99999 PCIe replays per minute for GPU 0. Reseat the GPU.',
    });
  });

  it('is reported without incidents too', () => {
    expect(dcgmHealth(report({ 'Overall Health': { value: 'Warning' } }))).toEqual({
      status: 'warning',
      message: 'DCGM reports no reason',
    });
  });

  it.each(['', 'Error: unable to connect', '{}', '{"body":{}}'])('is not read from %j', (text) =>
    expect(() => dcgmHealth(text)).toThrow(),
  );
});
