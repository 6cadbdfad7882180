import {
  chownSync,
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** One character per byte: other lines may have any encoding and stay unchanged. */
const BYTES = 'latin1';

/** The `authorized_keys` of a user of the host, in which the agent keeps some lines. */
export class AuthorizedKeysFile {
  readonly #path: string;
  readonly #isOurs: (line: string) => boolean;

  constructor(path: string, isOurs: (line: string) => boolean) {
    this.#path = path;
    this.#isOurs = isOurs;
  }

  /**
   * Replaces the agent's lines by these and leaves all others unchanged. The file is replaced
   * atomically, and not written if nothing changes.
   */
  replaceOurs(lines: readonly string[]): void {
    const text = existsSync(this.#path) ? readFileSync(this.#path, BYTES) : '';
    const others = text
      .split(/(?<=\n)/)
      .filter((line) => !this.#isOurs(line.replace(/\r?\n$/, '')));
    const kept = others.join('');
    const gap = lines.length === 0 || kept === '' || kept.endsWith('\n') ? '' : '\n';
    const wanted = kept + gap + lines.map((line) => `${line}\n`).join('');
    if (wanted !== text) this.#write(wanted);
  }

  /** Keeps owner and mode of the file; a new file gets those of its directory. A link stays a link. */
  #write(text: string): void {
    this.#makeFolder();
    const target = existsSync(this.#path) ? realpathSync(this.#path) : this.#path;
    const { uid, gid, mode } = existsSync(target)
      ? statSync(target)
      : { ...statSync(dirname(target)), mode: 0o600 };
    const part = `${target}.dstack`;
    // A killed agent may have left it. It is created anew, so that it cannot be a link.
    rmSync(part, { force: true });
    const file = openSync(part, 'wx', 0o600);
    try {
      writeFileSync(file, text, BYTES);
      fchownSync(file, uid, gid);
      fchmodSync(file, mode & 0o777);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(part, target);
  }

  #makeFolder(): void {
    const dir = dirname(this.#path);
    if (existsSync(dir)) return;
    const { uid, gid } = statSync(dirname(dir));
    mkdirSync(dir, { mode: 0o700 });
    chownSync(dir, uid, gid);
  }
}
