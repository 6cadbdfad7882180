import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Endpoint } from './endpoint.ts';
import { endpointList } from './endpoints.ts';
import { ourEndpoints } from './endpoints-ours.ts';

const folder = new URL('../../testdata/api/', import.meta.url);
const read = (name: string) => JSON.parse(readFileSync(new URL(name, folder), 'utf8'));

interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly request: unknown;
  readonly status: number;
  readonly response: unknown;
}

const matchers = endpointList.map(([name, endpoint]) => {
  const pattern = endpoint.path.replaceAll(/\{[^}]+\}/g, '[^/]+');
  return { name, endpoint, pattern: new RegExp(`^${pattern}$`) };
});

function endpointOf(exchange: Exchange): Endpoint {
  const match = matchers.find(
    ({ endpoint, pattern }) => endpoint.method === exchange.method && pattern.test(exchange.path),
  );
  if (match === undefined) throw new Error(`no endpoint for ${exchange.method} ${exchange.path}`);
  return match.endpoint;
}

/** Long lists of the recordings end in `{"_more": n}`. */
function uncut(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((item) => !(item instanceof Object && '_more' in item)).map(uncut);
  }
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, uncut(item)]));
}

/** Additions to run plans and stored secrets, which the reference does not have. */
const OURS = [
  ...['notes', 'outlook', 'queue_place', 'expected_start', 'is_about'],
  ...['places', 'new_instances', 'preempts', 'quota', 'borrows'],
];
const OURS_OF_EVENTS = ['action', 'data', 'outcome', 'actor_token', 'actor_address'];

function withoutOurs(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutOurs);
  if (value === null || typeof value !== 'object') return value;
  const ours = 'recorded_at' in value ? OURS_OF_EVENTS : OURS;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !ours.includes(key)));
}

describe.each(readdirSync(new URL('recordings/', folder)))('recorded traffic %s', (file) => {
  it('fits the models: requests are accepted, and answers are unchanged by parsing', () => {
    for (const exchange of read(`recordings/${file}`) as Exchange[]) {
      const endpoint = endpointOf(exchange);
      if (endpoint.body === 'json' || (endpoint.body === 'optional' && exchange.request !== null)) {
        expect(endpoint.request?.safeParse(uncut(exchange.request)).error).toBeUndefined();
      }
      if (exchange.status !== 200 || endpoint.response === null) continue;
      const answer = uncut(exchange.response);
      expect(withoutOurs(endpoint.response.parse(answer))).toEqual(answer);
    }
  });
});

describe('endpoint table', () => {
  it('has every path of dstack 0.22.5', () => {
    const paths = endpointList.map(([, endpoint]) => endpoint.path);
    const ours = Object.values(ourEndpoints).map((endpoint): string => endpoint.path);
    const theirs = paths.filter((path) => !ours.includes(path)).sort();
    expect(theirs).toEqual(read('paths.json'));
  });

  it('has the project in the path of every endpoint that requires a project role', () => {
    for (const [name, { permission, path }] of endpointList) {
      const isScoped = /^(project_|member_|entity:)/.test(permission);
      expect([name, !isScoped || path.includes('{project_name}')]).toEqual([name, true]);
    }
  });
});
