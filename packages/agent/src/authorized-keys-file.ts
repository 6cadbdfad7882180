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

/** Bytes as characters: what others have written may be in any encoding, and stays as it is. */
const BYTES = 'latin1';

/** An `authorized_keys` that belongs to somebody else; some lines in it are ours. */
export class AuthorizedKeysFile {
  readonly #path: string;
  readonly #isOurs: (line: string) => boolean;

  constructor(path: string, isOurs: (line: string) => boolean) {
    this.#path = path;
    this.#isOurs = isOurs;
  }

  /**
   * Puts these lines in place of those that are ours and leaves all others as they are. The file is
   * the old one or the new one at any moment; nothing is written when nothing changes.
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

  /** Owner and rights stay those of the file, or of the home it is made in. A link stays one. */
  #write(text: string): void {
    this.#makeFolder();
    const target = existsSync(this.#path) ? realpathSync(this.#path) : this.#path;
    const { uid, gid, mode } = existsSync(target)
      ? statSync(target)
      : { ...statSync(dirname(target)), mode: 0o600 };
    const part = `${target}.dstack`;
    // Left by one that was cut short; made anew, so that it is nobody's link.
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
