import { describe, expect, it } from 'vitest';
import { parseSecurityKey } from './security-key.ts';

const ED = 'sk-ssh-ed25519@openssh.com';
const EC = 'sk-ecdsa-sha2-nistp256@openssh.com';

function line(type: string, ...fields: (string | Buffer)[]): string {
  const parts = [type, ...fields].map((field) => {
    const bytes = Buffer.from(field);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  });
  return `${type} ${Buffer.concat(parts).toString('base64')} me`;
}

const offCurve = Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 1)]);

describe('keys of hardware tokens', () => {
  it.each([
    ['an empty line', ''],
    ['no key', ED],
    ['a key of another kind', line('ssh-ed25519', Buffer.alloc(32))],
    ['another type than the one in the key', line(ED, Buffer.alloc(32), 'ssh:').replace(ED, EC)],
    ['a point that is too short', line(ED, Buffer.alloc(31), 'ssh:')],
    ['no application', line(ED, Buffer.alloc(32))],
    ['something behind the key', line(ED, Buffer.alloc(32), 'ssh:', 'more')],
    ['another curve', line(EC, 'nistp384', offCurve, 'ssh:')],
    ['a point that is not on the curve', line(EC, 'nistp256', offCurve, 'ssh:')],
    ['a length beyond the end', `${ED} ${Buffer.from([255, 255, 255, 255, 1]).toString('base64')}`],
  ])('are not read from %s', (_, text) => {
    expect(parseSecurityKey(text)).toBeNull();
  });

  it('verify no signature that is cut short, empty, or of other lengths', () => {
    const key = parseSecurityKey(line(ED, Buffer.alloc(32, 9), 'ssh:'));
    const touched = Buffer.from([1, 0, 0, 0, 1]);
    for (const signature of [
      Buffer.alloc(0),
      touched.subarray(0, 4),
      touched,
      Buffer.concat([Buffer.alloc(63), touched]),
      Buffer.concat([Buffer.alloc(64), touched]),
    ]) {
      expect(key?.verify(Buffer.from('data'), signature)).toBe(false);
    }
  });
});
