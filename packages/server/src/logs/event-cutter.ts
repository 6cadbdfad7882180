import { type Carry, NO_CARRY, TerminalText, type TextPiece } from '@dstack/contract/terminal-text';

/** An unfinished line becomes visible after this much silence, or this long after its first byte. */
export const SILENCE_MICROS = 500_000;
export const LONGEST_WAIT_MICROS = 3_000_000;

/**
 * One event of `logs/poll`, as stored in the index: its text is rendered on request from the raw
 * bytes between the end of the previous event and `end`.
 */
export interface EventRecord {
  readonly end: number;
  /** Microseconds since the epoch; rises strictly from event to event. */
  readonly time: number;
  /** Bytes of text of all events up to and including this one. */
  readonly totalText: number;
  readonly carry: Carry;
  /** Not output: marks that the bytes up to `end` are lost. */
  readonly lost: boolean;
}

export const START: EventRecord = {
  end: 0,
  time: 0,
  totalText: 0,
  carry: NO_CARRY,
  lost: false,
};

export type CutterInput =
  /** Output read at `time`, directly after the previous output. */
  | { readonly type: 'bytes'; readonly time: number; readonly bytes: Uint8Array }
  /** It is `time` and no more output has arrived. */
  | { readonly type: 'idle'; readonly time: number }
  /** The output up to `offset` is lost. */
  | { readonly type: 'lost'; readonly offset: number; readonly time: number }
  /** There will be no further output. */
  | { readonly type: 'end' };

/** The state of the cutter. It belongs to the caller; `cutEvents` changes it in place. */
export interface CutterState {
  readonly text: TerminalText;
  last: EventRecord;
  lastInput: number;
  /** When the first byte of the unfinished line arrived; null = there is none. */
  pendingSince: number | null;
}

/** A state that continues after `last`; pass it the output from `last.end` on. */
export function cutterAfter(last: EventRecord): CutterState {
  return {
    text: new TerminalText(last.end, last.carry),
    last,
    lastInput: last.time,
    pendingSince: null,
  };
}

/**
 * Cuts the output into events: a complete line at once, the beginning of a line after a while
 * without its end. Reads no clock; the same inputs give the same events, and lines do not depend on
 * how the output was cut into pieces.
 */
export function cutEvents(state: CutterState, input: CutterInput): EventRecord[] {
  const events: EventRecord[] = [];
  const add = (piece: TextPiece, time: number, lost = false) => {
    state.last = {
      end: piece.end,
      time: Math.max(time, state.last.time + 1),
      totalText: state.last.totalText + Buffer.byteLength(piece.text),
      carry: piece.carry,
      lost,
    };
    events.push(state.last);
  };
  switch (input.type) {
    case 'bytes': {
      cutIfDue(state, input.time, add);
      const before = events.length;
      state.text.feed(input.bytes, (piece) => add(piece, input.time));
      state.lastInput = input.time;
      if (!state.text.pending) state.pendingSince = null;
      else if (state.pendingSince === null || events.length > before) {
        state.pendingSince = input.time;
      }
      break;
    }
    case 'idle':
      cutIfDue(state, input.time, add);
      break;
    case 'end':
      finish(state, add);
      break;
    case 'lost': {
      finish(state, add);
      const { end, carry } = state.last;
      state.text.jump(input.offset);
      const text = lostText(input.offset - end, carry);
      add({ end: input.offset, text, carry: NO_CARRY }, input.time, true);
      break;
    }
  }
  return events;
}

type Add = (piece: TextPiece, time: number, lost?: boolean) => void;

function cutIfDue(state: CutterState, time: number, add: Add): void {
  const { pendingSince, lastInput } = state;
  if (pendingSince === null) return;
  const silent = time - lastInput >= SILENCE_MICROS;
  if (!silent && time - pendingSince < LONGEST_WAIT_MICROS) return;
  state.pendingSince = null;
  add(state.text.cut(), lastInput);
}

function finish(state: CutterState, add: Add): void {
  const rest = state.text.finish((piece) => add(piece, state.lastInput));
  state.pendingSince = null;
  if (rest) add(rest, state.lastInput);
}

/** The marker in place of missing output. */
export function lostText(bytes: number, before: Carry): string {
  return `${before.partial ? '\n' : ''}[${bytes} bytes of output are lost here]\n`;
}
