/** Secrets of a project. */
import type * as z from 'zod';
import { model, nullable, Text, Uuid } from './scalars.ts';

/** `value` is null in lists. */
export const Secret = model({ id: Uuid, name: Text, value: nullable(Text) });
export type Secret = z.infer<typeof Secret>;
