/** Secrets of a project. */
import type * as z from 'zod';
import { listOf, model, nullable, Text, Uuid } from './scalars.ts';

/** `value` is null in lists. */
export const Secret = model({ id: Uuid, name: Text, value: nullable(Text) });
export type Secret = z.infer<typeof Secret>;

/** `notes` is our addition: sentences for the user about the stored value. */
export const SetSecret = model({ ...Secret.shape, notes: listOf(Text) });
export type SetSecret = z.infer<typeof SetSecret>;

/** The shortest secret that is masked in output, in characters without surrounding blanks. */
export const SHORTEST_MASKED = 4;

/**
 * The text to mask in output for a secret; null = too short. Short texts occur in ordinary output by
 * chance: masking them would garble it, and the gaps would reveal the value.
 */
export function maskedText(value: string): string | null {
  const text = value.trim();
  return text.length < SHORTEST_MASKED ? null : text;
}
