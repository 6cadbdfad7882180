/** Archives of `files`. */
import type * as z from 'zod';
import { model, Path, Text, Uuid } from './scalars.ts';

export const FileArchive = model({ id: Uuid, hash: Text });
export type FileArchive = z.infer<typeof FileArchive>;

/** The path where an archive is unpacked in the job. */
export const FileArchiveMapping = model({ id: Uuid, path: Path });
export type FileArchiveMapping = z.infer<typeof FileArchiveMapping>;
