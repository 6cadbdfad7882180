/** Archives of `files`. */
import type * as z from 'zod';
import { model, Text, Uuid } from './scalars.ts';

export const FileArchive = model({ id: Uuid, hash: Text });
export type FileArchive = z.infer<typeof FileArchive>;

/** Where an archive is unpacked in the job. */
export const FileArchiveMapping = model({ id: Uuid, path: Text });
export type FileArchiveMapping = z.infer<typeof FileArchiveMapping>;
