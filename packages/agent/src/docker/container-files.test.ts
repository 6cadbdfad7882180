import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { tarOf } from '../testing/hostile-tar.ts';
import { readContainerFile } from './container-files.ts';

/** A container with these archives, by path, and a record of what was read from them. */
function container(files: Readonly<Record<string, () => Generator<Buffer>>>) {
  const seen = { bytes: 0 };
  const getArchive = async ({ path }: { readonly path: string }) => {
    const file = files[path];
    if (!file) throw Object.assign(new Error('no such file'), { statusCode: 404 });
    const counted = function* () {
      for (const piece of file()) {
        seen.bytes += piece.length;
        yield piece;
      }
    };
    return Readable.from(counted());
  };
  return { seen, getArchive: getArchive as never };
}

const whole = (tar: Buffer) =>
  function* () {
    yield tar;
  };

describe('a file of an image', () => {
  it('is read, also behind links', async () => {
    const image = container({
      '/etc/passwd': whole(tarOf([{ name: 'passwd', kind: '2', to: '../usr/passwd' }])),
      '/usr/passwd': whole(tarOf([{ name: 'passwd', content: 'root:x:0:0' }])),
    });
    expect(await readContainerFile(image, '/etc/passwd')).toBe('root:x:0:0');
    expect(await readContainerFile(image, '/etc/group')).toBeNull();
  });

  it('is missing if a link goes in a circle, or nowhere', async () => {
    const image = container({
      '/a': whole(tarOf([{ name: 'a', kind: '2', to: '/a' }])),
      '/b': whole(tarOf([{ name: 'b', kind: '2', to: 'http://[' }])),
    });
    expect(await readContainerFile(image, '/a')).toBeNull();
    expect(await readContainerFile(image, '/b')).toBeNull();
  });

  it.each([
    { what: 'has no end', piece: { name: 'passwd', size: '37777777777' } },
    { what: 'is a whole tree', piece: { name: 'passwd', kind: '5' } },
  ])('is nothing when it $what, and little of it is read', async ({ piece }) => {
    const [header] = [tarOf([piece]).subarray(0, 512)];
    const content = tarOf([{ name: 'file', content: 'x'.repeat(64 * 1024) }]);
    const image = container({
      '/etc/passwd': function* () {
        yield header;
        for (let count = 0; count < 1000; count++) yield content.subarray(0, -1024);
      },
    });
    expect(await readContainerFile(image, '/etc/passwd')).toBeNull();
    expect(image.seen.bytes).toBeLessThan(4 * 1024 * 1024);
  });
});
