/** Public keys as users register them: one line of OpenSSH. */
import { createHash } from 'node:crypto';

/** Types of keys that users may register (dstack 0.22.5). */
const KEY_TYPES = [
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-ed25519',
  'sk-ecdsa-sha2-nistp256@openssh.com',
  'sk-ssh-ed25519@openssh.com',
];

export interface KeyLine {
  readonly type: string;
  /** Null if the line has none. */
  readonly comment: string | null;
  /** `SHA256:` and unpadded base64. */
  readonly fingerprint: string;
  /** MD5 of the key itself in hex: used as a name if there is none. */
  readonly md5: string;
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** `unsupported`: readable, but of a type that is not accepted. */
export function parseKeyLine(line: string): KeyLine | { readonly unsupported: string } | 'invalid' {
  // A key is printed in lists, so its comment must not contain control characters.
  if (/[\x00-\x08\x0a-\x1f\x7f-\x9f]/.test(line.trim())) return 'invalid';
  const match = /^(\S+)[ \t]+(\S+)(?:[ \t](.*))?$/.exec(line.trim());
  if (match === null || !BASE64.test(match[2] ?? '')) return 'invalid';
  const [, type = '', base64 = '', comment = ''] = match;
  const blob = Buffer.from(base64, 'base64');
  const fields = sshStrings(blob);
  if (fields === null || fields.length < 2 || fields[0]?.toString('latin1') !== type) {
    return 'invalid';
  }
  if (!KEY_TYPES.includes(type)) return { unsupported: type };
  const sha256 = createHash('sha256').update(blob).digest('base64').replace(/=$/, '');
  return {
    type,
    comment: comment.trim() || null,
    fingerprint: `SHA256:${sha256}`,
    md5: createHash('md5').update(blob).digest('hex'),
  };
}

/** The length-prefixed fields of a key, null if they do not fill it exactly. */
function sshStrings(blob: Buffer): Buffer[] | null {
  const fields: Buffer[] = [];
  let at = 0;
  while (at < blob.length) {
    if (at + 4 > blob.length) return null;
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return null;
    fields.push(blob.subarray(at + 4, end));
    at = end;
  }
  return fields;
}
