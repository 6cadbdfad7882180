import type { Readable } from 'node:stream';

/** Something to be put on hosts, named by its content so that it travels once. */
export interface Program {
  /** `node-<sha>`, `libraries-<sha>` or `agent-<sha>`: the name of its folder there. */
  readonly name: string;
  /** Bytes that travel, and bytes that lie there in the end. */
  readonly size: number;
  readonly unpacked: number;
  /** The compressed content. */
  open(): Readable;
}

/** Digits of a SHA-256 that name a folder. */
export const DIGITS = 16;
