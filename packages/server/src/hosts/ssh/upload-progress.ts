import { pipeline, type Readable, Transform } from 'node:stream';
import { AGENT_INSTALLATION } from '@dstack/core';
import type { Program } from './program.ts';

const MB = 1e6;
/** The least time between two reports. */
const REPORT_MS = 1000;

/** Reports how much of all programs that a host lacks has been sent: `Installing the agent (43 of 68 MB)`. */
export class UploadProgress {
  readonly #report: (text: string) => void;
  readonly #counted = new Set<Program>();
  #total = 0;
  #sent = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(report: (text: string) => void) {
    this.#report = report;
  }

  /** They will be sent; some are known only when others have arrived. */
  expect(programs: readonly Program[]): void {
    for (const program of programs) {
      if (this.#counted.has(program)) continue;
      this.#counted.add(program);
      this.#total += program.size;
    }
  }

  /** The program's bytes, counted while they are read. */
  counted(program: Program): Readable {
    this.expect([program]);
    const counter = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.#sent += chunk.length;
        this.#show();
        done(null, chunk);
      },
    });
    this.#show();
    // An end of the counter closes the file too; an error of the file is the counter's.
    return pipeline(program.open(), counter, () => {});
  }

  #show(): void {
    const now = performance.now();
    if (now - this.#reportedAt < REPORT_MS) return;
    this.#reportedAt = now;
    const total = Math.ceil(this.#total / MB);
    const sent = Math.floor(this.#sent / MB);
    this.#report(total > 1 ? `${AGENT_INSTALLATION} (${sent} of ${total} MB)` : AGENT_INSTALLATION);
  }
}
