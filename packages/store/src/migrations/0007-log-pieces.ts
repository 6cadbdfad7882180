import { createIndex, createTable, type Migration } from './ddl.ts';

/** Output of jobs, for servers that share a database. */
export const logPieces: Migration = {
  name: 'log pieces',
  async up(c) {
    await createTable(
      c,
      'log_pieces',
      {
        job_id: 'text!',
        seq: 'int!',
        project: 'text!',
        run: 'text!',
        start_offset: 'big!',
        end_offset: 'big!',
        bytes: 'blob!',
        marks: 'blob!',
        first_event: 'big!',
        event_count: 'int!',
        events: 'blob!',
        ended: 'bool!',
      },
      ['job_id', 'seq'],
    );
    await createIndex(c, 'log_pieces', 'job_id, end_offset');
    await createIndex(c, 'log_pieces', 'job_id, first_event');
  },
};
