import { describe, expect, it } from 'vitest';
import { endpoints } from './endpoints.ts';
import { validationDetails } from './validation.ts';

function detailsOf(configuration: unknown) {
  const body = { run_spec: { configuration } };
  const result = endpoints['runs.get_plan'].request.safeParse(body);
  if (result.success) throw new Error('accepted');
  return validationDetails(result.error, body);
}

describe('the answer to a body with thousands of errors', () => {
  const many = (item: unknown) => Array.from({ length: 3000 }, () => item);

  it('has its first hundred findings', () => {
    expect(detailsOf({ type: 'task', commands: many(null) })).toHaveLength(100);
    const unknown = Object.fromEntries(many(1).map((value, i) => [`k${i}`, value]));
    expect(detailsOf({ type: 'task', commands: ['x'], ...unknown })).toHaveLength(100);
  });

  it('repeats only a small part of the body', () => {
    const details = detailsOf({ type: 'task', commands: ['x'], volumes: many({}) });
    expect(JSON.stringify(details).length).toBeLessThan(200_000);
    const long = detailsOf({ type: 'task', commands: ['x'], name: ['x'.repeat(1_000_000)] });
    expect(JSON.stringify(long).length).toBeLessThan(10_000);
  });

  it('shows small values completely', () => {
    const [detail] = detailsOf({ type: 'task', commands: [{ a: [1] }] });
    expect(detail?.input).toEqual({ a: [1] });
  });

  it('reports an object in place of a word without converting it to text', () => {
    const odd = { toString: 1, valueOf: 1 };
    const body = { run_spec: { configuration: { type: odd } } };
    const result = endpoints['runs.get_plan'].request.safeParse(body);
    expect(result.success).toBe(false);
  });
});
