import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { requestDownloads } from './batch.ts';
import type { LfsHttp } from './lfs-http.ts';

const FILE = { oid: 'a'.repeat(64), size: 1 };
const bytes = (answer: object): Buffer => Buffer.from(JSON.stringify(answer));
const MIB = Buffer.alloc(1024 * 1024, ' ');

function answered(pieces: Iterable<Buffer>) {
  const answer = Object.assign(Readable.from(pieces), { statusCode: 200 });
  const http = { send: async () => answer as unknown as IncomingMessage } as unknown as LfsHttp;
  const endpoint = { url: 'https://lfs.test', headers: {} };
  return { answer, downloads: requestDownloads({ http, endpoint, login: null }, [FILE]) };
}

it('finds the address of each file', async () => {
  const actions = { download: { href: 'https://lfs.test/file' } };
  const { downloads } = answered([bytes({ objects: [{ ...FILE, actions }] })]);
  expect((await downloads).get(FILE.oid)?.url).toBe('https://lfs.test/file');
});

it('refuses an answer without end before it is kept', async () => {
  let sent = 0;
  const endless = function* () {
    for (; sent < 1000; sent++) yield MIB;
  };
  const { answer, downloads } = answered(endless());
  await expect(downloads).rejects.toThrow('lfs.test sends more than 16777216 bytes');
  expect(answer.destroyed).toBe(true);
  expect(sent).toBeLessThan(100);
});

it('refuses an answer about a file that was not asked for', async () => {
  const objects = [{ oid: '\u001b[2J', error: { message: 'gone' } }];
  const { downloads } = answered([bytes({ objects })]);
  await expect(downloads).rejects.toThrow('lfs.test answered about an unknown file');
});
