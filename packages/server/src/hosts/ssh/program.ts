import type { Readable } from 'node:stream';

/** A file to be copied to hosts, named by its content so that it is copied once. */
export interface Program {
  /** `node-<sha>`, `libraries-<sha>` or `agent-<sha>`: the name of its folder there. */
  readonly name: string;
  /** Size of the compressed content, and of the unpacked one. */
  readonly size: number;
  readonly unpacked: number;
  /** The compressed content. */
  open(): Readable;
}

/** Digits of a SHA-256 that name a folder. */
export const DIGITS = 16;
