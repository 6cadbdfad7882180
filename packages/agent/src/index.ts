export type { SpoolChunk, SpoolReader } from './spool/spool-reader.ts';
