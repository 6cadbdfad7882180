import { table } from './table.ts';
import type { LogPieceRecord } from './work-records.ts';

export const logPieceTable = table<LogPieceRecord>()('log_pieces', {
  jobId: 'plain',
  seq: 'plain',
  project: 'plain',
  run: 'plain',
  startOffset: 'plain',
  endOffset: 'plain',
  bytes: 'plain',
  marks: 'plain',
  firstEvent: 'plain',
  eventCount: 'plain',
  events: 'plain',
  ended: 'bool',
});
