import { describe, expect, test } from 'vitest';
import { ServiceConfiguration } from './service.ts';

const service = (autoscaling: unknown, rest: object = { replicas: '1..4' }) =>
  ServiceConfiguration.safeParse({
    ...{ type: 'service', port: 80, commands: ['serve'], autoscaling, ...rest },
  });

const errors = (autoscaling: unknown, rest?: object) =>
  service(autoscaling, rest).error?.issues.map(
    ({ path, message }) => `${path.filter((one) => typeof one !== 'symbol').join('.')}: ${message}`,
  );

const QUERY = { metric: 'prometheus', target: 5, url: 'http://prom:9090/base', query: 'sum(x)' };

describe('autoscaling', () => {
  test('has defaults, durations as texts, and replaces scaling', () => {
    const rules = [
      { metric: 'concurrency', target: 4, window: '30s', scale_down_delay: '10m' },
      { metric: 'latency', target: 1.5, percentile: 'p99', scale_up_delay: 0 },
      QUERY,
    ];
    const result = service(rules);
    expect(result.data?.scaling).toBeNull();
    const delays = { scale_up_delay: 30, scale_down_delay: 300 };
    expect(result.data?.autoscaling).toEqual([
      { ...delays, ...rules[0], window: 30, scale_down_delay: 600 },
      { ...delays, ...rules[1], percentile: 99, window: null, scale_up_delay: 0 },
      { ...delays, ...QUERY },
    ]);
  });

  test('stands in groups, and there not beside them', () => {
    const groups = [{ replicas: '0..2', commands: ['serve'], autoscaling: [QUERY] }];
    const rest = { commands: [], groups };
    expect(service(undefined, rest).success).toBe(true);
    expect(errors([QUERY], rest)?.join()).toContain('autoscaling in each group');
  });

  test.each([
    [[{ metric: 'cpu', target: 1 }], 'rps, concurrency, latency, gpu, prometheus'],
    [[{ metric: 'rps' }], 'target'],
    [[{ metric: 'gpu', target: 120 }], '100'],
    [[{ metric: 'rps', target: 0 }], 'target'],
    [[{ metric: 'latency', target: 1, percentile: 90 }], 'one of 50, 95, 99'],
    [[{ metric: 'rps', target: 1, window: '2m' }], 'one of 30s, 1m, 5m'],
    [[{ metric: 'rps', target: 1, scale_up_delay: -1 }], 'scale_up_delay'],
    [[{ ...QUERY, url: 'file:///etc/passwd' }], "must be a URL like 'http://prometheus:9090'"],
    [[{ ...QUERY, url: 'http://me:secret@prom' }], 'must not contain a user or a password'],
    [[{ ...QUERY, url: 'http://prom/api?x=1' }], "must end before '?'"],
    [[{ ...QUERY, query: '' }], 'query'],
    [[{ ...QUERY, window: '1m' }], 'window'],
    [
      [
        { metric: 'rps', target: 1 },
        { metric: 'rps', target: 2 },
      ],
      "two entries for 'rps'",
    ],
    [[], 'autoscaling'],
  ])('%j is refused', (rules, words) => {
    expect(errors(rules)?.join('\n')).toContain(words);
  });

  test('needs a range of replicas, which needs it or scaling', () => {
    expect(errors([QUERY], { replicas: 2 })?.join()).toContain(
      "has autoscaling with a fixed number of replicas (2): write a range like '1..4', or remove autoscaling",
    );
    expect(errors(undefined)?.join()).toContain('or autoscaling, or fix the number');
  });
});
