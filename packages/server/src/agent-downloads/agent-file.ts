/**
 * The agent as one file, in a form that `sh`, `head` and `tail` can unpack: lines of text that say what
 * follows, then the files, Node as the last one. Compressed it is a sequence of gzip members, so that the
 * copy of Node that is compressed already serves here too.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, gzipSync } from 'node:zlib';
import type { Arch } from '../hosts/ssh/libraries.ts';
import type { Program } from '../hosts/ssh/program.ts';
import { filesIn } from '../hosts/ssh/tar.ts';

export interface FilePrograms {
  node(arch: Arch): Promise<Program>;
  libraries(arch: Arch): Promise<Program>;
  agent(): Promise<Program>;
}

export interface AgentFile {
  /** The hash of the uncompressed file, hexadecimal. */
  readonly sha256: string;
  /** Bytes of the compressed file. */
  readonly packedSize: number;
  /** Bytes of the uncompressed file. */
  readonly size: number;
  openPacked(): Readable;
  open(): Readable;
}

export async function agentFile(programs: FilePrograms, arch: Arch): Promise<AgentFile> {
  const [node, libraries, agent] = await Promise.all([
    programs.node(arch),
    programs.libraries(arch).then((program) => filesIn(program.open())),
    programs.agent().then((program) => filesIn(program.open())),
  ]);
  const files = [
    ...libraries.map(({ name, bytes }) => ({ name: `lib/${name}`, bytes })),
    ...agent.map(({ name, bytes }) => ({ name: `agent/${name}`, bytes })),
  ];
  const sizes = [
    ...files.map(({ name, bytes }) => ({ name, size: bytes.length })),
    { name: 'node', size: node.unpacked },
  ];
  const first = Buffer.concat([header(sizes), ...files.map(({ bytes }) => bytes)]);
  const packed = gzipSync(first);
  const open = () => inTurn([() => Readable.from([first]), () => node.open().pipe(createGunzip())]);
  const hash = createHash('sha256');
  await pipeline(open(), hash);
  return {
    sha256: hash.digest('hex'),
    ...{ packedSize: packed.length + node.size, size: first.length + node.unpacked, open },
    openPacked: () => inTurn([() => Readable.from([packed]), () => node.open()]),
  };
}

interface Part {
  readonly name: string;
  readonly size: number;
}

/** The offsets are part of it, and it has the same length for each of them. */
function header(parts: readonly Part[]): Buffer {
  const text = (start: number) => {
    let offset = start;
    const lines = parts.map(({ name, size }) => {
      const line = `${String(offset).padEnd(DIGITS)} ${size} ${name}`;
      offset += size;
      return line;
    });
    return Buffer.from(`${parts.length}\n${lines.join('\n')}\n`);
  };
  return text(text(0).length);
}

/** `read` of `sh` takes any number of spaces between words. */
const DIGITS = 10;

function inTurn(streams: readonly (() => Readable)[]): Readable {
  return Readable.from(
    (async function* () {
      for (const open of streams) yield* open();
    })(),
    { objectMode: false },
  );
}
