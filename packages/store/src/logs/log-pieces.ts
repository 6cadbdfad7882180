import type { Db } from '../context/context.ts';
import { logPieceTable } from '../schema/log-piece-table.ts';
import type { LogPieces } from './types.ts';

export function createLogPieces(context: { readonly db: Db }): LogPieces {
  const { db } = context;
  const pieces = (jobId: string) => db.selectFrom('log_pieces').where('job_id', '=', jobId);

  return {
    async newest(jobId) {
      const row = await pieces(jobId)
        .selectAll()
        .orderBy('seq', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row ? logPieceTable.decode(row) : null;
    },

    async insert(piece) {
      const result = await db
        .insertInto('log_pieces')
        .values(logPieceTable.insert(piece))
        .onConflict((conflict) => conflict.columns(['job_id', 'seq']).doNothing())
        .executeTakeFirst();
      return Number(result.numInsertedOrUpdatedRows ?? 0) === 1;
    },

    async withOffset(jobId, offset) {
      const row = await pieces(jobId)
        .selectAll()
        .where('end_offset', '>', offset)
        // A piece that only closes a gap has no bytes, and ends where the next one begins.
        .where('marks', '!=', Buffer.alloc(0))
        .orderBy('end_offset')
        .limit(1)
        .executeTakeFirst();
      return row ? logPieceTable.decode(row) : null;
    },

    async withEvent(jobId, ordinal) {
      const row = await pieces(jobId)
        .select(['job_id', 'seq', 'project', 'run', 'start_offset', 'end_offset'])
        .select(['first_event', 'event_count', 'events', 'ended'])
        .where('first_event', '<=', ordinal)
        .where('event_count', '>', 0)
        .orderBy('first_event', 'desc')
        .limit(1)
        .executeTakeFirst();
      if (!row || row.first_event + row.event_count <= ordinal) return null;
      return logPieceTable.decode({ ...row, bytes: new Uint8Array(), marks: new Uint8Array() });
    },

    async delete(jobId) {
      await db.deleteFrom('log_pieces').where('job_id', '=', jobId).execute();
    },
  };
}
