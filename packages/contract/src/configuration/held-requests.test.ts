import { describe, expect, it } from 'vitest';
import { ServiceConfiguration } from './service.ts';

const service = (held_requests: object) =>
  ServiceConfiguration.safeParse({ type: 'service', port: 80, commands: ['serve'], held_requests });

describe('requests without a replica', () => {
  it('wait for a time, and up to a number', () => {
    const { data } = service({ timeout: '5m', limit: 100 });
    expect(data?.held_requests).toEqual({ timeout: 300, limit: 100 });
    expect(service({}).data?.held_requests).toEqual({ timeout: null, limit: null });
  });

  it.each([
    [{ timeout: '2h' }, 'must be 1h or less'],
    [{ timeout: 0 }, 'must be 1s or more, got 0s'],
    [{ limit: 0 }, 'must be 1 or more'],
    [{ max: 3 }, 'max'],
  ])('refuse %j', (held, why) => {
    const [issue] = service(held).error?.issues ?? [];
    expect(`${issue?.path.join('.')} ${issue?.message}`).toContain(why);
  });
});
