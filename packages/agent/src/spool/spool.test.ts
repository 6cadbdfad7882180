import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileSpoolReader } from './file-spool-reader.ts';
import { Masker } from './masker.ts';
import { encodeRecord, listSegments, segmentAt } from './spool-files.ts';
import { SpoolWriter } from './spool-writer.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'spool-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

async function readAll(reader: FileSpoolReader, max = 1000): Promise<string> {
  const parts: Uint8Array[] = [];
  for (let at = 0; ; ) {
    const chunk = await reader.read(at, max);
    if (!chunk) return Buffer.concat(parts).toString();
    parts.push(chunk.bytes);
    at = chunk.offset + chunk.bytes.length;
  }
}

function maskPieces(values: readonly string[], pieces: readonly string[]): string {
  const masker = new Masker(values);
  const out = pieces.map((piece) => masker.push(Buffer.from(piece)).bytes);
  return Buffer.concat([...out, masker.end().bytes]).toString();
}

describe('masking', () => {
  it('hides a secret that arrives one byte at a time', () => {
    expect(maskPieces(['hunter2'], [...'a hunter2 b hunter'])).toBe('a *** b hunter');
  });

  it('hides all of two secrets that overlap', () => {
    expect(maskPieces(['abc', 'cde'], ['xabcdex'])).toBe('x***x');
    expect(maskPieces(['abc', 'abcdef'], ['abc', 'def'])).toBe('***');
  });

  it('recognises the form that a terminal gives to a secret of several lines', () => {
    expect(maskPieces(['one\ntwo'], ['>one\r\ntwo<'])).toBe('>***<');
  });

  it('gives the same result however the output is split', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 3 }), fc.array(letters), (values, pieces) => {
        expect(maskPieces(values, pieces)).toBe(maskPieces(values, [pieces.join('')]));
      }),
    );
  });

  it('accounts for every byte that was read', () => {
    const masker = new Masker(['secret']);
    const raws = ['the sec', 'ret is', ' sec'].map((piece) => masker.push(Buffer.from(piece)).raw);
    expect(Buffer.concat([...raws, masker.end().raw]).toString()).toBe('the secret is sec');
  });
});

describe('spool', () => {
  it('begins with notices that count as no output, once', async () => {
    const notice = 'a volume \u001b[2J is left out';
    for (let start = 0; start < 2; start++) {
      const writer = new SpoolWriter({ dir, maskedValues: ['volume'] });
      writer.note([notice, 'another'], 1);
      expect(writer.place).toEqual({ newlines: start, tail: 0 });
      writer.append(Buffer.from('line\n'), 2);
      writer.close(3);
    }
    const shown = '[dstack: a volume ?[2J is left out]\r\n[dstack: another]\r\n';
    expect(await readAll(new FileSpoolReader(dir))).toBe(`${shown}line\nline\n`);
  });

  it('reads back what was written, over several segments', async () => {
    const writer = new SpoolWriter({ dir, maskedValues: ['pass'], segmentBytes: 100 });
    let expected = '';
    for (let i = 0; i < 200; i++) {
      writer.append(Buffer.from(`line ${i} pass\r\n`), 1_000_000 + i * 1000);
      expected += `line ${i} ***\r\n`;
    }
    writer.close(2_000_000);
    expect(listSegments(dir).length).toBeGreaterThan(10);
    const reader = new FileSpoolReader(dir);
    expect(reader.end).toBe(expected.length);
    expect(await readAll(reader)).toBe(expected);
    expect(await readAll(reader, 7)).toBe(expected);
  });

  it('gives each chunk the time of its first byte', async () => {
    const writer = new SpoolWriter({ dir, maskedValues: [] });
    writer.append(Buffer.from('one'), 1000);
    writer.append(Buffer.from('two'), 5000);
    writer.append(Buffer.from('late'), 50_000);
    writer.close(60_000);
    const reader = new FileSpoolReader(dir);
    expect(await reader.read(0, 100)).toMatchObject({ time: 1000, bytes: Buffer.from('onetwo') });
    expect(await reader.read(4, 100)).toMatchObject({ time: 5000, bytes: Buffer.from('wo') });
    expect(await reader.read(6, 100)).toMatchObject({ time: 50_000 });
  });

  it('counts newlines and the unfinished line as read, not as masked', () => {
    const writer = new SpoolWriter({ dir, maskedValues: ['longsecret'] });
    writer.append(Buffer.from('a\nlongsecret\nlongsecret!'), 1);
    expect(writer.place).toEqual({ newlines: 2, tail: 11 });
    writer.append(Buffer.from('longs'), 2);
    expect(writer.place).toEqual({ newlines: 2, tail: 11 });
    writer.close(3);
    expect(writer.place).toEqual({ newlines: 2, tail: 16 });
  });

  it('continues after a writer that died between bytes and index', async () => {
    const first = new SpoolWriter({ dir, maskedValues: [] });
    first.append(Buffer.from('kept\n'), 1);
    first.append(Buffer.from('torn\n'), 2);
    const [segment] = listSegments(dir);
    truncateSync(segment!.index, 40);
    const second = new SpoolWriter({ dir, maskedValues: [] });
    expect(second.end).toBe(5);
    expect(second.place).toEqual({ newlines: 1, tail: 0 });
    second.append(Buffer.from('more'), 3);
    second.close(4);
    expect(await readAll(new FileSpoolReader(dir))).toBe('kept\nmore');
  });

  it('drops the oldest segments over its cap, and a reader jumps over the hole', async () => {
    const writer = new SpoolWriter({ dir, maskedValues: [], segmentBytes: 10, capBytes: 40 });
    for (let i = 0; i < 10; i++) writer.append(Buffer.from(`0123456${i}\r\n`), i);
    writer.close(11);
    const reader = new FileSpoolReader(dir);
    expect(reader.start).toBeGreaterThan(0);
    expect((await reader.read(0, 10))?.offset).toBe(reader.start);
    expect(readdirSync(dir).length).toBeLessThanOrEqual(8);
  });

  it('is read past segments that a full disk has left empty', async () => {
    const writer = new SpoolWriter({ dir, maskedValues: [] });
    writer.append(Buffer.from('before\n'), 1);
    writer.close(2);
    // A segment that was opened on a full disk: bytes without an index, an index without records.
    for (const start of [20, 30, 40]) writeFileSync(segmentAt(dir, start).log, 'x'.repeat(start));
    for (const start of [30, 40]) writeFileSync(segmentAt(dir, start).index, '');
    const after = segmentAt(dir, 50);
    writeFileSync(after.log, 'after\n');
    writeFileSync(after.index, encodeRecord({ end: 56, time: 3, newlines: 2, tail: 0 }));
    const reader = new FileSpoolReader(dir);
    expect(reader.end).toBe(56);
    for (const offset of [7, 20, 25, 35, 45]) {
      const chunk = await reader.read(offset, 100);
      expect(chunk && { offset: chunk.offset, text: Buffer.from(chunk.bytes).toString() }).toEqual({
        offset: 50,
        text: 'after\n',
      });
    }
    expect(await readAll(reader)).toBe('before\nafter\n');
  });

  it('is not waited for once another program has removed it', async () => {
    const writer = new SpoolWriter({ dir: join(dir, 'spool'), maskedValues: [] });
    writer.append(Buffer.from('removed\n'), 1);
    const reader = new FileSpoolReader(join(dir, 'spool'));
    rmSync(join(dir, 'spool'), { recursive: true });
    expect(await reader.read(3, 100)).toMatchObject({ offset: 8, bytes: new Uint8Array() });
    expect(await reader.read(8, 100)).toBeNull();
    writer.close(2);
  });

  it('notifies followers of growth and the end', async () => {
    const reader = new FileSpoolReader(dir);
    const writer = new SpoolWriter({ dir, maskedValues: [], onGrow: (end) => reader.grew(end) });
    const ends: number[] = [];
    const stop = reader.follow((end) => ends.push(end));
    writer.append(Buffer.from('abc'), 1);
    stop();
    writer.append(Buffer.from('def'), 2);
    writer.close(3);
    reader.finish();
    expect(ends).toEqual([3]);
    expect(await reader.ended).toBe(6);
  });
});
