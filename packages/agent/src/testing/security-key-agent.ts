import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

const APPLICATION = Buffer.from('ssh:');

export type TokenKind = 'sk-ssh-ed25519@openssh.com' | 'sk-ecdsa-sha2-nistp256@openssh.com';

/** A hardware token in software, behind the socket of an SSH agent, as OpenSSH's client uses it. */
export class SecurityKeyAgent {
  readonly kind: TokenKind;
  /** Flags of the next signatures: bit 0 = it was touched. */
  flags = 1;
  readonly #privateKey: KeyObject;
  readonly #blob: Buffer;
  readonly #server: Server;

  constructor(kind: TokenKind) {
    this.kind = kind;
    const isEd = kind === 'sk-ssh-ed25519@openssh.com';
    const pair = isEd
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#privateKey = pair.privateKey;
    const { x = '', y = '' } = pair.publicKey.export({ format: 'jwk' });
    const [a, b] = [Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')];
    const point = isEd ? [a] : [Buffer.from('nistp256'), Buffer.concat([Buffer.from([4]), a, b])];
    this.#blob = Buffer.concat([Buffer.from(kind), ...point, APPLICATION].map(string));
    this.#server = createServer((socket) => {
      let held = Buffer.alloc(0);
      socket.on('error', () => {});
      socket.on('data', (data) => {
        held = Buffer.concat([held, data as Buffer]);
        while (held.length >= 4 && held.length >= 4 + held.readUInt32BE(0)) {
          const end = 4 + held.readUInt32BE(0);
          socket.write(string(this.#answer(held.subarray(4, end))));
          held = held.subarray(end);
        }
      });
    });
  }

  get publicKey(): string {
    return `${this.kind} ${this.#blob.toString('base64')} token`;
  }

  async listen(path: string): Promise<void> {
    this.#server.listen(path);
    await once(this.#server, 'listening');
  }

  close(): void {
    this.#server.close();
  }

  #answer(request: Buffer): Buffer {
    if (request[0] === 11) {
      const count = Buffer.from([0, 0, 0, 1]);
      return Buffer.concat([Buffer.from([12]), count, string(this.#blob), string('token')]);
    }
    if (request[0] !== 13) return Buffer.from([5]);
    const at = 5 + request.readUInt32BE(1);
    const data = request.subarray(at + 4, at + 4 + request.readUInt32BE(at));
    return Buffer.concat([Buffer.from([14]), string(this.#sign(data))]);
  }

  #sign(data: Buffer): Buffer {
    const tail = Buffer.from([this.flags, 0, 0, 0, 7]);
    const signed = Buffer.concat([sha256(APPLICATION), tail, sha256(data)]);
    if (this.kind === 'sk-ssh-ed25519@openssh.com') {
      const signature = sign(null, signed, this.#privateKey);
      return Buffer.concat([string(this.kind), string(signature), tail]);
    }
    const key = { key: this.#privateKey, dsaEncoding: 'ieee-p1363' } as const;
    const numbers = sign('sha256', signed, key);
    const pair = [integer(numbers.subarray(0, 32)), integer(numbers.subarray(32))];
    return Buffer.concat([string(this.kind), string(Buffer.concat(pair)), tail]);
  }
}

function string(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function integer(bytes: Buffer): Buffer {
  const digits = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
  return string((digits[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits);
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
