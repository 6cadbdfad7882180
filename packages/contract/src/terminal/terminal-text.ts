import { TerminalLine } from './terminal-line.ts';

/** State of a line of which a part was already emitted. Stored in the event index. */
export interface Carry {
  /** The last emitted text did not end its line. */
  readonly partial: boolean;
  /** ... and the cursor has returned to its start, so the next output replaces it. */
  readonly redraw: boolean;
}

export const NO_CARRY: Carry = { partial: false, redraw: false };

/** `end`: offset of the first raw byte that does not belong to this text. */
export interface TextPiece {
  readonly end: number;
  readonly text: string;
  readonly carry: Carry;
}

type Mode = 'ground' | 'escape' | 'intermediate' | 'csi' | 'string' | 'string-escape' | 'utf8';

const ESC = 0x1b;
const MAX_PARAMS = 64;

/**
 * Turns a program's terminal output into plain text, line by line: escape sequences are removed,
 * redraws of a line (carriage return, backspace, erase) leave its final state, invalid UTF-8
 * becomes
 * U+FFFD, `\\r\
 * ` becomes `\
 * `. The result depends on the bytes alone, not on how they were cut
 * into pieces.
 *
 * An escape sequence has no effect before it is complete and is dropped at a newline, so that at
 * the end of each piece of text (`TextPiece.end`) the machine is in its first state except for
 * `Carry`: `new TerminalText(end, carry)` continues exactly there.
 */
export class TerminalText {
  readonly #line = new TerminalLine();
  #offset: number;
  #partial: boolean;
  #redraw: boolean;
  /** A redraw of an emitted line starts on a new line. */
  #prefix = '';
  #mode: Mode = 'ground';
  #params = '';
  /** The start of an incomplete sequence or character. */
  #sequenceStart = 0;
  #utf8 = { point: 0, missing: 0, lower: 0x80, upper: 0xbf };

  constructor(offset: number, carry: Carry = NO_CARRY) {
    this.#offset = offset;
    this.#partial = carry.partial;
    this.#redraw = carry.redraw;
  }

  /** Raw bytes taken so far, as an offset. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether there is text of a line that has not ended yet. */
  get pending(): boolean {
    return !this.#line.empty;
  }

  /**
   * Processes bytes; `emit` receives each line that ended in them, and parts of lines that are too
   * long.
   */
  feed(piece: Uint8Array, emit: (piece: TextPiece) => void): void {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    let at = 0;
    while (at < bytes.length) {
      if (this.#mode === 'ground') {
        const run = asciiRun(bytes, at);
        if (run > 0) {
          at += this.#printRun(bytes, at, run, emit);
          continue;
        }
      }
      this.#byte(bytes[at] ?? 0, emit);
      at += 1;
      this.#offset += 1;
    }
  }

  /** Emits the text of the unfinished line, without an incomplete sequence or character. */
  cut(): TextPiece {
    return this.#take(this.#mode === 'ground' ? this.#offset : this.#sequenceStart);
  }

  /** The same at the end of the output: an unfinished character becomes U+FFFD. Null = no text. */
  finish(emit: (piece: TextPiece) => void): TextPiece | null {
    if (this.#mode === 'utf8') this.#print('\ufffd', emit);
    this.#mode = 'ground';
    return this.pending ? this.#take(this.#offset) : null;
  }

  /** Bytes up to `offset` are lost: an unfinished sequence is dropped. */
  jump(offset: number): void {
    this.#offset = offset;
    this.#mode = 'ground';
    this.#line.clear();
    this.#prefix = '';
    this.#partial = false;
    this.#redraw = false;
  }

  #take(end: number, newline = ''): TextPiece {
    const text = this.#prefix + this.#line.text + newline;
    this.#partial = newline === '';
    this.#redraw = this.#partial && this.#line.atStart;
    this.#prefix = '';
    this.#line.clear();
    return { end, text, carry: { partial: this.#partial, redraw: this.#redraw } };
  }

  /** Prints up to `length` plain bytes, returns how many. */
  #printRun(bytes: Buffer, at: number, length: number, emit: (piece: TextPiece) => void): number {
    this.#beforePrint();
    if (!this.#line.atEnd) {
      this.#print(String.fromCharCode(bytes[at] ?? 0), emit);
      this.#offset += 1;
      return 1;
    }
    if (this.#line.room === 0) {
      emit(this.#take(this.#offset));
      this.#beforePrint();
    }
    const count = Math.min(length, this.#line.room);
    this.#line.appendAscii(bytes.toString('latin1', at, at + count));
    this.#offset += count;
    return count;
  }

  #beforePrint(): void {
    if (!this.#redraw) return;
    this.#prefix = '\n';
    this.#redraw = false;
    this.#partial = false;
  }

  #print(char: string, emit: (piece: TextPiece) => void): void {
    this.#beforePrint();
    if (this.#line.print(char)) return;
    emit(this.#take(this.#mode === 'ground' ? this.#offset : this.#sequenceStart));
    this.#beforePrint();
    this.#line.print(char);
  }

  #byte(byte: number, emit: (piece: TextPiece) => void): void {
    switch (this.#mode) {
      case 'ground':
        this.#ground(byte, emit);
        return;
      case 'utf8':
        this.#continuation(byte, emit);
        return;
      case 'escape':
        this.#escape(byte, emit);
        return;
      case 'intermediate':
        if (breaksOff(byte)) {
          this.#abort(byte, emit);
          return;
        }
        if (byte >= 0x30) this.#mode = 'ground';
        return;
      case 'csi':
        this.#csi(byte, emit);
        return;
      case 'string':
        this.#string(byte, emit);
        return;
      case 'string-escape':
        // ESC \ ends a string; ESC and anything else is a new sequence.
        this.#mode = 'escape';
        this.#sequenceStart = this.#offset - 1;
        this.#escape(byte, emit);
        return;
    }
  }

  #ground(byte: number, emit: (piece: TextPiece) => void): void {
    if (byte >= 0x80) {
      this.#lead(byte, emit);
      return;
    }
    if (byte >= 0x20 && byte !== 0x7f) {
      this.#print(String.fromCharCode(byte), emit);
      return;
    }
    switch (byte) {
      case 0x0a:
      case 0x0b:
      case 0x0c:
        emit(this.#take(this.#offset + 1, '\n'));
        return;
      case 0x0d:
        this.#home();
        return;
      case 0x08:
        if (!this.#line.empty) this.#line.move(-1);
        return;
      case 0x09:
        this.#print('\t', emit);
        return;
      case ESC:
        this.#mode = 'escape';
        this.#sequenceStart = this.#offset;
        return;
      default:
        return;
    }
  }

  #home(): void {
    if (this.#line.empty && this.#partial) this.#redraw = true;
    this.#line.home();
  }

  /** First byte of a character of several bytes (the WHATWG decoder's rules). */
  #lead(byte: number, emit: (piece: TextPiece) => void): void {
    const missing = byte >= 0xc2 && byte <= 0xdf ? 1 : byte >= 0xe0 && byte <= 0xef ? 2 : 3;
    if (byte < 0xc2 || byte > 0xf4) {
      this.#print('\ufffd', emit);
      return;
    }
    const lower = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    const upper = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    this.#utf8 = { point: byte & (0x3f >> missing), missing, lower, upper };
    this.#mode = 'utf8';
    this.#sequenceStart = this.#offset;
  }

  #continuation(byte: number, emit: (piece: TextPiece) => void): void {
    const { point, missing, lower, upper } = this.#utf8;
    if (byte < lower || byte > upper) {
      this.#print('\ufffd', emit);
      this.#mode = 'ground';
      this.#ground(byte, emit);
      return;
    }
    const next = (point << 6) | (byte & 0x3f);
    this.#utf8 = { point: next, missing: missing - 1, lower: 0x80, upper: 0xbf };
    if (missing > 1) return;
    if (next >= 0x80 && next <= 0x9f) {
      // The eight-bit forms of ESC @ ... ESC _.
      this.#mode = 'escape';
      this.#escape(next - 0x40, emit);
      return;
    }
    this.#print(String.fromCodePoint(next), emit);
    this.#mode = 'ground';
  }

  #escape(byte: number, emit: (piece: TextPiece) => void): void {
    if (breaksOff(byte)) {
      this.#abort(byte, emit);
      return;
    }
    if (byte === 0x5b) {
      this.#mode = 'csi';
      this.#params = '';
    } else if (byte === 0x50 || byte === 0x58 || (byte >= 0x5d && byte <= 0x5f)) {
      this.#mode = 'string';
    } else {
      this.#mode = byte < 0x30 ? 'intermediate' : 'ground';
      // ESC E is "next line".
      if (byte === 0x45) emit(this.#take(this.#offset + 1, '\n'));
    }
  }

  #csi(byte: number, emit: (piece: TextPiece) => void): void {
    if (breaksOff(byte)) {
      this.#abort(byte, emit);
      return;
    }
    if (byte < 0x40) {
      if (this.#params.length < MAX_PARAMS) this.#params += String.fromCharCode(byte);
      return;
    }
    this.#mode = 'ground';
    if (byte < 0x7f) this.#control(String.fromCharCode(byte));
  }

  /** Movements within the line; all others, such as colours, have no effect on plain text. */
  #control(final: string): void {
    if (!'KCDG'.includes(final) || !/^\d{0,6}$/.test(this.#params)) return;
    const param = Number(this.#params);
    switch (final) {
      case 'K':
        if (param === 0) this.#line.eraseToEnd();
        if (param === 2) this.#line.clear();
        return;
      case 'C':
        this.#line.move(Math.max(1, param));
        return;
      case 'D':
        if (!this.#line.empty) this.#line.move(-Math.max(1, param));
        return;
      case 'G':
        if (param <= 1) this.#home();
        else this.#line.moveTo(param - 1);
        return;
      default:
        return;
    }
  }

  #string(byte: number, emit: (piece: TextPiece) => void): void {
    if (byte === 0x07) this.#mode = 'ground';
    else if (byte === ESC) this.#mode = 'string-escape';
    else if (byte === 0x0a || byte === 0x18 || byte === 0x1a) this.#abort(byte, emit);
  }

  /** A control character ends an unfinished sequence, then has its own effect. */
  #abort(byte: number, emit: (piece: TextPiece) => void): void {
    this.#mode = 'ground';
    this.#ground(byte, emit);
  }
}

/** Not a byte of an escape sequence. */
function breaksOff(byte: number): boolean {
  return byte < 0x20 || byte >= 0x80;
}

/** Number of printable ASCII bytes from `at` on. */
function asciiRun(bytes: Uint8Array, at: number): number {
  let end = at;
  while (end < bytes.length) {
    const byte = bytes[end] ?? 0;
    if (byte < 0x20 || byte > 0x7e) break;
    end += 1;
  }
  return end - at;
}
