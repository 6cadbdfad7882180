/** Secrets of a project. */
import type * as z from 'zod';
import { listOf, model, nullable, Text, Uuid } from './scalars.ts';

/** `value` is null in lists. */
export const Secret = model({ id: Uuid, name: Text, value: nullable(Text) });
export type Secret = z.infer<typeof Secret>;

/** `notes` is ours: sentences for the user about the value that was set. */
export const SetSecret = model({ ...Secret.shape, notes: listOf(Text) });
export type SetSecret = z.infer<typeof SetSecret>;

/** Characters that a secret needs at least to be masked in output, blanks at its ends not counted. */
export const SHORTEST_MASKED = 4;

/**
 * The text to mask in output for a secret; null = too short. Shorter texts occur in ordinary output
 * by chance: to mask them would garble it, and the gaps would show the value.
 */
export function maskedText(value: string): string | null {
  const text = value.trim();
  return text.length < SHORTEST_MASKED ? null : text;
}
