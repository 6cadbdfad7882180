/** Numbers of version 3 of the protocol, which all clients support. */
export const REQUEST = {
  init: 1,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  symlink: 20,
  extended: 200,
} as const;

export const ANSWER = {
  version: 2,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extended: 201,
} as const;

export const STATUS = { ok: 0, eof: 1, missing: 2, denied: 3, failure: 4, unsupported: 8 } as const;

const MAX_PACKET = 256 * 1024;

/** Splits a stream of bytes into packets, returned without their length. */
export class PacketCutter {
  #rest: Buffer = Buffer.alloc(0);

  /** Throws if a packet is longer than any client sends. */
  *cut(data: Buffer): Generator<Buffer> {
    let bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, data]) : data;
    while (bytes.length >= 4) {
      const length = bytes.readUInt32BE(0);
      if (length > MAX_PACKET || length === 0) throw new Error(`a packet of ${length} bytes`);
      if (bytes.length < 4 + length) break;
      yield bytes.subarray(4, 4 + length);
      bytes = bytes.subarray(4 + length);
    }
    this.#rest = bytes;
  }
}

/** Attributes of a file in the protocol; times in seconds. */
export interface Attributes {
  readonly size?: number | undefined;
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly mode?: number | undefined;
  readonly times?: { readonly accessed: number; readonly modified: number } | undefined;
}

const HAS = { size: 1, owner: 2, mode: 4, times: 8 };

/** Reads the fields of a packet in order. Throws `RangeError` after its end. */
export class PacketReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(): number {
    this.#at += 1;
    return this.#bytes.readUInt8(this.#at - 1);
  }

  number(): number {
    this.#at += 4;
    return this.#bytes.readUInt32BE(this.#at - 4);
  }

  long(): number {
    this.#at += 8;
    return Number(this.#bytes.readBigUInt64BE(this.#at - 8));
  }

  bytes(): Buffer {
    const length = this.number();
    if (this.#at + length > this.#bytes.length) throw new RangeError('a field after the end');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  text(): string {
    return this.bytes().toString();
  }

  attributes(): Attributes {
    const flags = this.number();
    return {
      size: flags & HAS.size ? this.long() : undefined,
      owner: flags & HAS.owner ? { uid: this.number(), gid: this.number() } : undefined,
      mode: flags & HAS.mode ? this.number() : undefined,
      times: flags & HAS.times ? { accessed: this.number(), modified: this.number() } : undefined,
    };
  }
}

/** Builds a packet field by field. */
export class PacketWriter {
  readonly #parts: Buffer[] = [];

  constructor(type: number, id?: number) {
    this.#parts.push(Buffer.from([type]));
    if (id !== undefined) this.number(id);
  }

  number(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32BE(value >>> 0);
    this.#parts.push(part);
    return this;
  }

  long(value: number | bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigUInt64BE(BigInt(value));
    this.#parts.push(part);
    return this;
  }

  bytes(value: Buffer): this {
    this.number(value.length);
    this.#parts.push(value);
    return this;
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value));
  }

  attributes({ size, owner, mode, times }: Attributes): this {
    const flags = [
      size === undefined ? 0 : HAS.size,
      owner === undefined ? 0 : HAS.owner,
      mode === undefined ? 0 : HAS.mode,
      times === undefined ? 0 : HAS.times,
    ];
    this.number(flags.reduce((all, each) => all | each));
    if (size !== undefined) this.long(size);
    if (owner) this.number(owner.uid).number(owner.gid);
    if (mode !== undefined) this.number(mode);
    if (times) this.number(times.accessed).number(times.modified);
    return this;
  }

  /** Prefixed with its length. */
  finish(): Buffer {
    const body = Buffer.concat(this.#parts);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    return Buffer.concat([length, body]);
  }
}
