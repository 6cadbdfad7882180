import type { Id } from '@dstack/core';

const UUID_DIGITS = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/;

/** The id of a job submission, written with or without hyphens; null for every other text. */
export function jobIdOf(text: string): Id | null {
  const parts = UUID_DIGITS.exec(text.toLowerCase().replaceAll('-', ''));
  return parts?.slice(1).join('-') ?? null;
}
