import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fuzz } from '@dstack/testkit/fuzz';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RootedFiles } from '../../host/rooted-files.ts';
import { snapshot } from '../../testing/snapshot.ts';
import { PacketCutter, REQUEST } from './packet.ts';
import { SftpServer } from './sftp-server.ts';

/** The root of a job, with links that lead out of it, and files outside. */
let dir: string;
let root: number;

function fill(): void {
  mkdirSync(join(dir, 'root/home'), { recursive: true });
  symlinkSync(join(dir, 'outside'), join(dir, 'root/absolute'));
  symlinkSync('../../outside', join(dir, 'root/home/relative'));
  writeFileSync(join(dir, 'root/home/file'), 'text');
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sftp-'));
  fill();
  mkdirSync(join(dir, 'outside/inner'), { recursive: true });
  writeFileSync(join(dir, 'outside/canary'), 'alive');
  root = openSync(join(dir, 'root'), constants.O_RDONLY | constants.O_DIRECTORY);
});
afterEach(() => {
  closeSync(root);
  rmSync(dir, { recursive: true });
});

const number = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
const text = (value: string) =>
  Buffer.concat([number(Buffer.byteLength(value)), Buffer.from(value)]);

/**
 * Requests of all kinds, with paths that lead out and with fields that are too long, short or
 * large.
 */
function request(): fc.Arbitrary<Buffer> {
  const name = fc.constantFrom(
    'home',
    'file',
    'absolute',
    'relative',
    'canary',
    'inner',
    '..',
    'x',
  );
  const path = fc
    .tuple(fc.constantFrom('', '/', '../../', '/absolute/', `${dir}/outside/`), fc.array(name))
    .map(([start, names]) => text(start + names.slice(0, 5).join('/')));
  const words = fc
    .constantFrom('posix-rename@openssh.com', 'hardlink@openssh.com', '0', '1')
    .map(text);
  const odd = fc.constantFrom(0, 1, 2, 8, 15, 26, 59, 0o4777, 2 ** 31, 2 ** 32 - 1).map(number);
  const field = fc.oneof({ weight: 4, arbitrary: path }, words, { weight: 3, arbitrary: odd });
  const kind = fc.constantFrom(...Object.values(REQUEST), 0, 99, 255);
  const raw = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes));
  return fc
    .tuple(kind, odd, fc.array(fc.oneof({ weight: 12, arbitrary: field }, raw), { maxLength: 6 }))
    .map(([type, id, fields]) => Buffer.concat([Buffer.from([type]), id, ...fields]));
}

it('no request of a client reads or changes anything outside the root', async () => {
  const outside = snapshot(join(dir, 'outside'));
  await fuzz(
    'requests for files',
    fc.asyncProperty(fc.array(request(), { minLength: 1, maxLength: 10 }), async (requests) => {
      const server = new SftpServer(new RootedFiles(root), '/home');
      for (const packet of requests) {
        const answer = answerOf(server, packet);
        expect(answer?.toString('latin1') ?? '').not.toContain('alive');
      }
      expect(snapshot(join(dir, 'outside'))).toEqual(outside);
      for (let handle = 0; handle < requests.length; handle++) {
        server.answer(Buffer.concat([Buffer.from([REQUEST.close]), number(0), text(`${handle}`)]));
      }
      rmSync(join(dir, 'root/home'), { recursive: true, force: true });
      rmSync(join(dir, 'root/absolute'), { recursive: true, force: true });
      fill();
    }),
  );
  expect(readFileSync(join(dir, 'outside/canary'), 'utf8')).toBe('alive');
});

/** Null = a packet that is too short for an answer, so the connection ends. */
function answerOf(server: SftpServer, packet: Buffer): Buffer | null {
  try {
    return server.answer(packet);
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
    return null;
  }
}

it('bytes are cut into packets, or refused, without keeping more than one', async () => {
  await fuzz(
    'bytes of a file transfer',
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 })), async (pieces) => {
      const cutter = new PacketCutter();
      try {
        for (const piece of pieces) {
          for (const packet of cutter.cut(Buffer.from(piece)))
            expect(packet.length).toBeGreaterThan(0);
        }
      } catch (error) {
        expect(String(error)).toMatch(/a packet of \d+ bytes/);
      }
    }),
  );
});
