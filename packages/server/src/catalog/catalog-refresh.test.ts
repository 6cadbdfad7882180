import { type CatalogItem, parseCatalog } from '@dstack/backends';
import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { CatalogRefresh } from './catalog-refresh.ts';

const URL_OF_PRICES = 'https://prices.example.com/catalog.csv';
const HOUR_MS = 3_600_000;
const header = 'provider,instance_name,locations,price,cpu,memory';
const csv = (price: number) => `${header}\nvultr,small,ams,${price},2,4\n`;

let now: number;
let stored: Map<string, string>;
let catalog: Map<string, readonly CatalogItem[]>;
let asked: (string | null)[];
let answer: () => Response | Promise<Response>;
beforeEach(() => {
  now = Date.parse('2026-12-01T10:00:00Z');
  stored = new Map();
  catalog = new Map(parseCatalog(csv(9)));
  asked = [];
  answer = () => new Response(csv(1), { headers: { etag: '"1"' } });
});

function refresher(url = URL_OF_PRICES, log = pino({ level: 'silent' })): CatalogRefresh {
  return new CatalogRefresh({
    ...{ url, catalog, now: () => now, log },
    meta: {
      get: async (key) => stored.get(key) ?? null,
      set: async (key, value) => void stored.set(key, value),
    },
    outgoing: {
      get: async (_, { headers, maxBytes }) => {
        asked.push(headers?.['if-none-match'] ?? null);
        const response = await answer();
        const body = Buffer.from(await response.arrayBuffer());
        if (body.length > maxBytes) throw new Error(`larger than ${maxBytes} bytes`);
        const header = (name: string) => response.headers.get(name);
        return { status: response.status, header, body };
      },
    },
  });
}

const price = () => catalog.get('vultr')?.[0]?.price;

describe('the catalogue of an address', () => {
  it('replaces the prices of everything that uses them', async () => {
    const refresh = refresher();
    expect(refresh.note).toContain('prices are samples: the catalogue of prices.example.com');
    await refresh.refresh();
    expect([price(), refresh.note]).toEqual([1, null]);
  });

  it('shows no key of its address in the log', async () => {
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
    answer = () => new Response('', { status: 403 });
    await refresher(`${URL_OF_PRICES}?key=hidden`, log).refresh();
    expect(lines.join('')).toContain('prices.example.com');
    expect(lines.join('')).not.toContain('hidden');
  });

  it('is not sent again while it is the same, and not old then', async () => {
    const refresh = refresher();
    await refresh.refresh();
    now += 48 * HOUR_MS;
    expect(refresh.note).toBe('prices are of the catalogue of prices.example.com of 2026-12-01');
    answer = () => new Response(null, { status: 304 });
    await refresh.refresh();
    expect([asked, price(), refresh.note]).toEqual([[null, '"1"'], 1, null]);
  });

  it.each([
    ['a page of a proxy', () => new Response('<html>sign in</html>')],
    ['nothing', () => new Response('')],
    ['only a header', () => new Response(`${header}\n`)],
    ['a price that is none', () => new Response(`${header}\nvultr,small,ams,free,2,4\n`)],
    ['an error', () => new Response(csv(2), { status: 500 })],
    ['no answer', () => Promise.reject(new Error('connect ECONNREFUSED'))],
    ['too much', () => new Response('x'.repeat(33 * 1024 * 1024))],
  ])('stays as it was, with its age and the reason, when there is %s', async (_, bad) => {
    const refresh = refresher();
    await refresh.refresh();
    answer = bad;
    now += 25 * HOUR_MS;
    await refresh.refresh();
    expect(price()).toBe(1);
    expect(refresh.note).toMatch(/of 2026-12-01, because it was not refreshed: ./);
  });

  it('outlives the server, and belongs to its address', async () => {
    await refresher().refresh();
    catalog = new Map(parseCatalog(csv(9)));
    answer = () => Promise.reject(new Error('no network'));
    const restarted = refresher();
    await restarted.start();
    await restarted.close();
    expect([price(), restarted.note]).toEqual([1, null]);
    catalog = new Map(parseCatalog(csv(9)));
    const elsewhere = refresher('https://other.example.com/');
    await elsewhere.start();
    await elsewhere.refresh();
    await elsewhere.close();
    expect(price()).toBe(9);
    expect(elsewhere.note).toContain('has not been read yet, because');
  });

  it('is asked for no longer when the server ends', async () => {
    let isAborted = false;
    const refresh = new CatalogRefresh({
      ...{ url: URL_OF_PRICES, catalog, now: () => now, log: pino({ level: 'silent' }) },
      meta: { get: async () => null, set: async () => {} },
      outgoing: {
        get: (_, { signal }) =>
          new Promise((_resolve, reject) => {
            signal?.addEventListener('abort', () => {
              isAborted = true;
              reject(new Error('aborted'));
            });
          }),
      },
    });
    await refresh.start();
    await refresh.close();
    expect(isAborted).toBe(true);
  });
});
