import { describe, expect, it } from 'vitest';
import { ServiceConfiguration } from './service.ts';

const service = (mirror: unknown, more: object = {}) =>
  ServiceConfiguration.safeParse({
    ...{ type: 'service', port: 80, commands: ['serve'], mirror, ...more },
  });

describe('mirrored requests', () => {
  it('are all that change nothing by default', () => {
    const defaults = { service: 'next', percent: 100, methods: ['GET', 'HEAD'] };
    expect(service({ service: 'next' }).data?.mirror).toEqual(defaults);
    expect(service({ service: 'next', percent: 5, methods: ['POST'] }).data?.mirror).toEqual({
      ...{ service: 'next', percent: 5, methods: ['POST'] },
    });
    expect(service(undefined).data?.mirror).toBeUndefined();
  });

  it.each([
    [{}, ['service']],
    [{ service: 'other/next' }, ['service']],
    [{ service: '../next' }, ['service']],
    [{ service: 'next', percent: 0 }, ['percent']],
    [{ service: 'next', percent: 101 }, ['percent']],
    [{ service: 'next', methods: [] }, ['methods']],
    [{ service: 'next', methods: ['get'] }, ['methods', 0]],
    [{ service: 'next', methods: ['CONNECT'] }, ['methods', 0]],
    [{ service: 'next', rate: 1 }, ['rate']],
  ])('refuse %j', (mirror, path) => {
    expect(service(mirror).error?.issues[0]?.path).toEqual(['mirror', ...path]);
  });

  it('are not for the service itself', () => {
    const { error } = service({ service: 'web' }, { name: 'web' });
    expect(error?.issues[0]).toMatchObject({
      message: expect.stringContaining('another service'),
    });
  });
});
