import { type LogLine, LogLineReader } from './line-reader.ts';
import { lineText } from './log-search.ts';

/** The last line of output that is not empty; null: there is none. */
export function lastLine(bytes: Uint8Array): LogLine | null {
  const reader = new LogLineReader();
  const lines = reader.read(bytes);
  const open = reader.openLine();
  const all = open === null ? lines : [...lines, open];
  return all.findLast((line) => lineText(line).trim() !== '') ?? null;
}
