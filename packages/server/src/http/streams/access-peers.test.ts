import { type AccessPage, AccessRecords } from '@dstack/proxy';
import type { Peers } from '@dstack/store';
import { expect, it } from 'vitest';
import { AccessPeers } from './access-peers.ts';

const RUN = 'run';

/** Servers of one database; what one sends, the others receive. */
class Database {
  readonly sent: string[] = [];
  readonly #listeners = new Map<number, (text: string) => void>();
  #count = 0;
  isSilent = false;

  connect(): Peers {
    const own = this.#count++;
    return {
      send: (texts) => {
        this.sent.push(...texts);
        if (this.isSilent) return;
        for (const text of texts) {
          for (const [id, listener] of this.#listeners) if (id !== own) listener(text);
        }
      },
      subscribe: (listener) => {
        this.#listeners.set(own, listener);
        return () => this.#listeners.delete(own);
      },
    };
  }
}

/** Two other servers with their requests, and a reader at a third one. */
function servers() {
  const database = new Database();
  const others = [new AccessRecords(), new AccessRecords()];
  for (const records of others) {
    const own = async (run: string, after: ReadonlyMap<string, number>) =>
      new Map([['server', records.since(run, after.get('server') ?? null)]]);
    new AccessPeers(database.connect(), own);
  }
  const here = new AccessPeers(database.connect(), async () => new Map());
  return { database, others, reader: here.open(RUN) };
}

function add(records: AccessRecords, path: string): void {
  const client = { user: 'ann', address: '127.0.0.1', request_id: 'id', job_id: `job${path}` };
  records.add(RUN, { time: 1, method: 'GET', path, status: 200, ms: 1, ...client });
}

/** Reads like a stream does, and returns the paths and how many are missing. */
function stream(reader: ReturnType<typeof servers>['reader']) {
  const cursors = new Map<string, number>();
  return async () => {
    const pages = await reader.read(cursors);
    for (const [process, { next }] of pages) cursors.set(process, next);
    const all: AccessPage[] = [...pages.values()];
    const paths = all.flatMap(({ records }) => records.map(({ path }) => path));
    return { paths, skipped: all.reduce((sum, { skipped }) => sum + skipped, 0) };
  };
}

it('requests of all servers are read once, those that are kept first', async () => {
  const { others, reader } = servers();
  others.forEach((records, n) => {
    add(records, `/kept/${n}`);
  });
  const read = stream(reader);
  expect(await read()).toEqual({ paths: ['/kept/0', '/kept/1'], skipped: 0 });
  expect(await read()).toEqual({ paths: [], skipped: 0 });
  for (const records of others) add(records, '/new');
  const paths: string[] = [];
  for (let reading = 0; reading < 3; reading++) paths.push(...(await read()).paths);
  expect(paths).toEqual(['/new', '/new']);
});

it('the replica that answered is known too, and stays apart from what earlier servers understand', async () => {
  const { database, others, reader } = servers();
  add(others[0] as AccessRecords, '/kept');
  const pages = await reader.read(new Map());
  const records = [...pages.values()].flatMap((page) => page.records);
  expect(records).toMatchObject([{ path: '/kept', job_id: 'job/kept' }]);
  const answers = database.sent.map((text) => JSON.parse(text)).filter(({ jobs }) => jobs);
  expect(answers).toMatchObject([{ jobs: ['job/kept'] }]);
  expect(answers[0].records[0]).not.toHaveProperty('job_id');
});

it('many long paths come in messages of the allowed size', async () => {
  const { database, others, reader } = servers();
  for (let n = 0; n < 200; n++) add(others[0] as AccessRecords, `/${n}/${'é'.repeat(600)}`);
  const { paths, skipped } = await stream(reader)();
  expect([paths.length, skipped]).toEqual([200, 0]);
  expect(paths.at(-1)).toMatch(/^\/199\//);
  const sizes = database.sent.map((text) => Buffer.byteLength(text));
  expect(sizes.length).toBeGreaterThan(30);
  expect(Math.max(...sizes)).toBeLessThan(7900);
});

it('lost messages are asked for again, and what is no longer kept is counted', async () => {
  const { database, others, reader } = servers();
  const [records] = others as [AccessRecords];
  add(records, '/first');
  const read = stream(reader);
  await read();
  database.isSilent = true;
  for (let n = 0; n < 250; n++) add(records, `/${n}`);
  await read();
  database.isSilent = false;
  await read();
  const { paths, skipped } = await read();
  expect([paths.length, paths.at(-1), skipped]).toEqual([200, '/249', 50]);
});

it('other texts, and messages of newer servers, are ignored', async () => {
  const { database, others, reader } = servers();
  add(others[0] as AccessRecords, '/kept');
  database.connect().send(['', '{', '{"type":"newer"}', '{"type":"access"}', 'null']);
  expect((await stream(reader)()).paths).toEqual(['/kept']);
});
