import { describe, expect, it } from 'vitest';
import {
  hasFigures,
  inFlightText,
  isServedHere,
  latencyText,
  outcomesText,
  rateText,
  readyText,
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

  it('name requests that wait, replicas that fail, and how requests ended', () => {
    expect(inFlightText({ ...figures, in_flight: 4 })).toBe('4');
    expect(inFlightText({ ...figures, in_flight: 4, held: 2 })).toBe('4 and 2 waiting');
    expect(readyText({ ...figures, replicas: 3, ejected: 1 })).toBe('2 of 3 ready');
    expect(outcomesText(figures.answered)).toBe('none');
    expect(outcomesText({ '5xx': 3, '2xx': 1204, '4xx': 0 })).toBe('2xx 1,204, 5xx 3');
  });

  it.each([
    [{ desired: 1, running: 1 }, null, '1 replica'],
    [{ desired: 3, running: 1 }, null, '1 of 3 replicas'],
    [{ desired: 0, running: 0 }, null, '0 replicas'],
    [{ desired: 3, running: 3 }, { ...figures, replicas: 3, ejected: 1 }, '2 of 3 replicas'],
    [{ desired: 2, running: 2 }, { ...figures, replicas: 2 }, '2 replicas'],
  ])('of replicas %o, with %o, are %s', (counts, known, text) => {
    expect(replicasText(counts, known)).toBe(text);
  });

  it.each([
    ['/proxy/services/main/llm/', true],
    ['http://llm-0a1b2c3d.dstack.example:3000/', true],
    ['https://llm-0a1b2c3d.apps.example/', true],
    ['https://llm-00000000.apps.example/', false],
    ['https://llm.gateway.example/', false],
  ])('of %s are at this server: %s', (url, isHere) => {
    const service = {
      id: '0a1b2c3d-0000-4000-8000-000000000000',
      status: 'running',
      service: { url },
    };
    expect(isServedHere(service, 'http://dstack.example:3000')).toBe(isHere);
    expect(hasFigures(service)).toBe(true);
    const submitted = { ...service, status: 'submitted' };
    expect(isServedHere(submitted, 'http://dstack.example:3000')).toBe(false);
    expect(hasFigures(submitted)).toBe(false);
  });
});
