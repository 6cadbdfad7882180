import { type Readable, Transform } from 'node:stream';
import type { Program } from './program.ts';

const MB = 1e6;
/** The least time between two reports. */
const REPORT_MS = 1000;

/**
 * The program's bytes; while they are read, `progress` receives how many were sent (`… 3 of 47
 * MB`).
 */
export function counted(
  program: Program,
  title: string,
  progress: (text: string) => void,
): Readable {
  const total = Math.ceil(program.size / MB);
  let sent = 0;
  let reported = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sent += chunk.length;
      const now = performance.now();
      if (total > 1 && now - reported >= REPORT_MS) {
        reported = now;
        progress(`${title}: ${Math.floor(sent / MB)} of ${total} MB`);
      }
      done(null, chunk);
    },
  });
  progress(title);
  const source = program.open();
  source.on('error', (error) => counter.destroy(error));
  return source.pipe(counter);
}
