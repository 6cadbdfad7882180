/** The end of the machine, as an answer of a metadata service announces it. */
import type { NoticeSource } from '@dstack/contract/agent';
import type { MetadataAnswer } from './ask-metadata.ts';

export interface FoundNotice {
  readonly reason: string;
  /** The time that the provider wrote; null = it gave none. */
  readonly at: string | null;
  /** Seconds, at the moment of the answer. */
  readonly leftSecs: number;
}

const OK = 200;
const LONGEST_REASON = 100;
/** A machine does not outlive its notice by this much: such a time is not one of its own. */
const STALE_MS = 600_000;

/** Null: the machine stays. `wallMs`: the clock of this host, for services that do not show theirs. */
export function noticeIn(
  { status, text, time }: MetadataAnswer,
  { equals, at, reason, leaves_secs: leaves }: NoticeSource,
  wallMs: number,
): FoundNotice | null {
  if (status !== OK) return null;
  if (equals !== null) {
    return text.trim() === equals ? { reason: 'preempted', at: null, leftSecs: leaves } : null;
  }
  const answer = at === null ? null : objectIn(text);
  const written = answer === null || at === null ? null : answer[at];
  if (answer === null || typeof written !== 'string') return null;
  const left = Date.parse(written) - (time ?? wallMs);
  if (Number.isNaN(left) || left < -STALE_MS) return null;
  const word = reason === null ? undefined : answer[reason];
  return {
    reason: typeof word === 'string' ? word.slice(0, LONGEST_REASON) : 'interrupted',
    at: written.slice(0, LONGEST_REASON),
    leftSecs: Math.min(leaves, Math.max(0, left / 1000)),
  };
}

function objectIn(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
