import {
  chmodSync,
  chownSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  type Stats,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import type { RootedFiles } from '../../host/rooted-files.ts';
import { listingLine } from './listing-line.ts';
import { OpenSftpFiles } from './open-files.ts';
import { ANSWER, type Attributes, PacketReader, PacketWriter, REQUEST, STATUS } from './packet.ts';

const VERSION = 3;
const MAX_READ = 255 * 1024;
const ENTRIES = 100;
/** Extensions that OpenSSH's clients use: renames that replace, hard links, syncs. */
const EXTENSIONS = {
  'posix-rename@openssh.com': '1',
  'hardlink@openssh.com': '1',
  'fsync@openssh.com': '1',
  'statvfs@openssh.com': '2',
};

type Handler = (id: number, fields: PacketReader) => PacketWriter;

/**
 * An SFTP server for the files of a job. It answers each request in order. Its calls block, so it
 * has its own process, with the rights of its user.
 */
export class SftpServer {
  readonly #files: RootedFiles;
  readonly #open: OpenSftpFiles;
  readonly #cwd: string;

  constructor(files: RootedFiles, cwd: string) {
    this.#files = files;
    this.#open = new OpenSftpFiles(files);
    this.#cwd = cwd;
  }

  /** Handles one packet and returns the answer. Throws only if no answer is possible. */
  answer(packet: Buffer): Buffer {
    const fields = new PacketReader(packet);
    const type = fields.byte();
    if (type === REQUEST.init) return this.#welcome();
    const id = fields.number();
    const handler = this.#handlers[type];
    if (!handler) return status(id, STATUS.unsupported, 'Operation unsupported').finish();
    try {
      return handler(id, fields).finish();
    } catch (error) {
      return failure(id, error).finish();
    }
  }

  readonly #handlers: Readonly<Record<number, Handler>> = {
    [REQUEST.open]: (id, fields) => {
      const [path, flags, { mode }] = [this.#path(fields), fields.number(), fields.attributes()];
      return new PacketWriter(ANSWER.handle, id).text(this.#open.openFile(path, flags, mode));
    },
    [REQUEST.close]: (id, fields) => {
      this.#open.close(fields.text());
      return done(id);
    },
    [REQUEST.read]: (id, fields) => this.#read(id, fields),
    [REQUEST.write]: (id, fields) => {
      const [fd, offset, data] = [this.#open.file(fields.text()), fields.long(), fields.bytes()];
      for (let at = 0; at < data.length; ) {
        at += writeSync(fd, data, at, data.length - at, offset + at);
      }
      return done(id);
    },
    [REQUEST.lstat]: (id, fields) =>
      attributes(
        id,
        this.#files.at(this.#path(fields), false, ({ path }) => lstatSync(path)),
      ),
    [REQUEST.stat]: (id, fields) =>
      attributes(
        id,
        this.#files.at(this.#path(fields), true, ({ path }) => lstatSync(path)),
      ),
    [REQUEST.fstat]: (id, fields) => attributes(id, fstatSync(this.#open.file(fields.text()))),
    [REQUEST.setstat]: (id, fields) => {
      const [path, wanted] = [this.#path(fields), fields.attributes()];
      this.#files.pinned(path, true, (pinned) => setAttributes(pinned, wanted));
      return done(id);
    },
    [REQUEST.fsetstat]: (id, fields) => {
      setOpenAttributes(this.#open.file(fields.text()), fields.attributes());
      return done(id);
    },
    [REQUEST.opendir]: (id, fields) =>
      new PacketWriter(ANSWER.handle, id).text(this.#open.openDirectory(this.#path(fields))),
    [REQUEST.readdir]: (id, fields) => this.#readDirectory(id, fields),
    [REQUEST.remove]: (id, fields) => this.#change(id, fields, unlinkSync),
    [REQUEST.rmdir]: (id, fields) => this.#change(id, fields, rmdirSync),
    [REQUEST.mkdir]: (id, fields) => {
      const [target, { mode = 0o777 }] = [this.#path(fields), fields.attributes()];
      this.#files.at(target, false, ({ path }) => mkdirSync(path, mode & 0o7777));
      return done(id);
    },
    [REQUEST.realpath]: (id, fields) =>
      name(
        id,
        this.#files.at(this.#path(fields), true, ({ inside }) => inside),
      ),
    [REQUEST.readlink]: (id, fields) =>
      name(
        id,
        this.#files.at(this.#path(fields), false, ({ path }) => readlinkSync(path)),
      ),
    [REQUEST.symlink]: (id, fields) => {
      // OpenSSH's clients send the target first, against the draft, and all servers expect that
      // order.
      const [text, link] = [fields.text(), this.#path(fields)];
      this.#files.at(link, false, ({ path }) => symlinkSync(text, path));
      return done(id);
    },
    [REQUEST.rename]: (id, fields) => this.#rename(id, fields, false),
    [REQUEST.extended]: (id, fields) => this.#extended(id, fields),
  };

  #welcome(): Buffer {
    const packet = new PacketWriter(ANSWER.version, VERSION);
    for (const [extension, value] of Object.entries(EXTENSIONS)) packet.text(extension).text(value);
    return packet.finish();
  }

  /** Relative paths begin at the job's working directory. */
  #path(fields: PacketReader): string {
    const path = fields.text();
    return path.startsWith('/') ? path : `${this.#cwd}/${path}`;
  }

  #read(id: number, fields: PacketReader): PacketWriter {
    const [fd, offset] = [this.#open.file(fields.text()), fields.long()];
    const data = Buffer.allocUnsafe(Math.min(fields.number(), MAX_READ));
    const count = readSync(fd, data, 0, data.length, offset);
    if (count === 0) return status(id, STATUS.eof, 'End of file');
    return new PacketWriter(ANSWER.data, id).bytes(data.subarray(0, count));
  }

  #readDirectory(id: number, fields: PacketReader): PacketWriter {
    const entries = this.#open.entries(fields.text(), ENTRIES);
    if (entries.length === 0) return status(id, STATUS.eof, 'End of file');
    const packet = new PacketWriter(ANSWER.name, id).number(entries.length);
    for (const entry of entries) {
      packet.text(entry.name).text(listingLine(entry)).attributes(attributesOf(entry.stats));
    }
    return packet;
  }

  #change(id: number, fields: PacketReader, act: (path: string) => void): PacketWriter {
    this.#files.at(this.#path(fields), false, ({ path }) => act(path));
    return done(id);
  }

  /** In the protocol a rename fails if the target exists. OpenSSH's extension replaces it. */
  #rename(id: number, fields: PacketReader, replaces: boolean): PacketWriter {
    const [from, to] = [this.#path(fields), this.#path(fields)];
    this.#files.at(from, false, (source) =>
      this.#files.at(to, false, (target) => {
        const taken = lstatSync(target.path, { throwIfNoEntry: false }) !== undefined;
        if (taken && !replaces) throw new Error(`${to} exists`);
        renameSync(source.path, target.path);
      }),
    );
    return done(id);
  }

  #extended(id: number, fields: PacketReader): PacketWriter {
    switch (fields.text()) {
      case 'posix-rename@openssh.com':
        return this.#rename(id, fields, true);
      case 'hardlink@openssh.com': {
        const [from, to] = [this.#path(fields), this.#path(fields)];
        this.#files.at(from, false, (source) =>
          this.#files.at(to, false, (target) => linkSync(source.path, target.path)),
        );
        return done(id);
      }
      case 'fsync@openssh.com':
        fsyncSync(this.#open.file(fields.text()));
        return done(id);
      case 'statvfs@openssh.com':
        return this.#files.pinned(this.#path(fields), true, (path) => space(id, path));
      default:
        return status(id, STATUS.unsupported, 'Operation unsupported');
    }
  }
}

function setAttributes(path: string, { size, owner, mode, times }: Attributes): void {
  if (size !== undefined) {
    // Opening a device or a pipe may have effects, or never return.
    if (!statSync(path).isFile()) throw new Error('not a regular file');
    truncateSync(path, size);
  }
  if (mode !== undefined) chmodSync(path, mode & 0o7777);
  if (times) utimesSync(path, times.accessed, times.modified);
  if (owner) chownSync(path, owner.uid, owner.gid);
}

function setOpenAttributes(fd: number, { size, owner, mode, times }: Attributes): void {
  if (size !== undefined) ftruncateSync(fd, size);
  if (mode !== undefined) fchmodSync(fd, mode & 0o7777);
  if (times) futimesSync(fd, times.accessed, times.modified);
  if (owner) fchownSync(fd, owner.uid, owner.gid);
}

function attributesOf(stats: Stats): Attributes {
  return {
    size: stats.size,
    owner: { uid: stats.uid, gid: stats.gid },
    mode: stats.mode,
    times: {
      accessed: Math.floor(stats.atimeMs / 1000),
      modified: Math.floor(stats.mtimeMs / 1000),
    },
  };
}

function attributes(id: number, stats: Stats): PacketWriter {
  return new PacketWriter(ANSWER.attrs, id).attributes(attributesOf(stats));
}

function name(id: number, path: string): PacketWriter {
  return new PacketWriter(ANSWER.name, id).number(1).text(path).text(path).attributes({});
}

function space(id: number, path: string): PacketWriter {
  const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(path);
  const packet = new PacketWriter(ANSWER.extended, id);
  const [fileSystem, flags, longestName] = [0, 0, 255];
  const values = [bsize, bsize, blocks, bfree, bavail, files, ffree, ffree];
  for (const value of [...values, fileSystem, flags, longestName]) packet.long(value);
  return packet;
}

function done(id: number): PacketWriter {
  return status(id, STATUS.ok, 'Success');
}

function status(id: number, code: number, message: string): PacketWriter {
  return new PacketWriter(ANSWER.status, id).number(code).text(message).text('');
}

function failure(id: number, error: unknown): PacketWriter {
  const { code, message: text } = error as NodeJS.ErrnoException;
  // Node's own messages contain paths of the host.
  const message = code ? (text.split(/[:,]/)[1]?.trim() ?? code) : text;
  if (code === 'ENOENT' || code === 'ENOTDIR') return status(id, STATUS.missing, message);
  if (code === 'EACCES' || code === 'EPERM') return status(id, STATUS.denied, message);
  return status(id, STATUS.failure, message);
}
