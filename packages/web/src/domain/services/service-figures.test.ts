import { describe, expect, it } from 'vitest';
import {
  hasFigures,
  inFlightText,
  latencyText,
  outcomesText,
  rateText,
  replicasText,
} from './service-figures.ts';

const figures = {
  rps: 0,
  p50_ms: null,
  p95_ms: null,
  p99_ms: null,
  in_flight: 0,
  held: 0,
  replicas: 1,
  ejected: 0,
  answered: {},
  mirrored: null,
};

describe('figures of a service', () => {
  it.each([
    [0, '0/s'],
    [0.03, '<0.1/s'],
    [0.41, '0.4/s'],
    [12.4, '12/s'],
    [15_000, '15,000/s'],
  ])('a rate of %s is %s', (rps, text) => {
    expect(rateText({ ...figures, rps })).toBe(text);
  });

  it.each([
    [null, '–'],
    [0.42, '0.4 ms'],
    [87.6, '88 ms'],
    [1234, '1.2 s'],
  ])('a latency of %s is %s', (ms, text) => {
    expect(latencyText(ms)).toBe(text);
  });

  it('name requests that wait, and how requests ended', () => {
    expect(inFlightText({ ...figures, in_flight: 4 })).toBe('4');
    expect(inFlightText({ ...figures, in_flight: 4, held: 2 })).toBe('4 and 2 waiting');
    expect(outcomesText(figures.answered)).toBe('none');
    expect(outcomesText({ '5xx': 3, '2xx': 1204, '4xx': 0 })).toBe('2xx 1,204, 5xx 3');
  });

  it.each([
    [{ desired: 1, running: 1 }, null, '1 replica'],
    [{ desired: 3, running: 1 }, null, '1 of 3 replicas'],
    [{ desired: 0, running: 0 }, null, '0 replicas'],
    [{ desired: 3, running: 3 }, { ready: 2 }, '2 of 3 replicas'],
    [{ desired: 2, running: 2 }, { ready: 2 }, '2 replicas'],
  ])('of replicas %o, with %o, are %s', (counts, known, text) => {
    expect(replicasText(counts, known)).toBe(text);
  });

  it('are there while it runs', () => {
    const service = { status: 'running', service: {} };
    expect(hasFigures(service)).toBe(true);
    expect(hasFigures({ ...service, status: 'submitted' })).toBe(false);
    expect(hasFigures({ ...service, service: null })).toBe(false);
  });
});
