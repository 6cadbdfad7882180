/** Compares the clock of a host with the server's. All times are microseconds. */
import type { HostCheck } from '@dstack/contract/agent';
import { SECOND } from '@dstack/core';

/** The lead of the host's clock (negative: it is behind), and the uncertainty of that figure. */
export interface ClockReading {
  readonly ahead: number;
  readonly error: number;
}

/** Above this, times of logs and metrics become misleading. */
const WARNING = 5 * SECOND;
/** Object stores refuse requests whose time differs by more. */
const FAILURE = 15 * 60 * SECOND;

const GOOD: HostCheck = { name: 'clock', status: 'healthy', message: null };

/**
 * From the time in a report alone. The unknown time that the report took makes the host's clock
 * seem behind, never ahead. Null: the report may just have been late, so a round trip has to
 * decide.
 */
export function readingOfReport(sentAt: number, receivedAt: number): ClockReading | null {
  const ahead = sentAt - receivedAt;
  return Math.abs(ahead) <= WARNING ? { ahead, error: 0 } : null;
}

/** From the host's time in an answer, and the times of the request and the answer. */
export function readingOfRoundTrip(
  hostTime: number,
  trip: { readonly sentAt: number; readonly receivedAt: number },
): ClockReading {
  const { sentAt, receivedAt } = trip;
  return { ahead: hostTime - (sentAt + receivedAt) / 2, error: (receivedAt - sentAt) / 2 };
}

export function clockCheck({ ahead, error }: ClockReading): HostCheck {
  const certain = Math.abs(ahead) - error;
  if (certain <= WARNING) return GOOD;
  const side = ahead > 0 ? 'ahead of' : 'behind';
  const message = `the host's clock is about ${roughly(Math.abs(ahead))} ${side} the server's; check that its time is synchronised (NTP)`;
  return { name: 'clock', status: certain <= FAILURE ? 'warning' : 'failure', message };
}

/** One digit, so that a drifting clock does not change the message each time. */
function roughly(micros: number): string {
  const seconds = micros / SECOND;
  const [value, unit] =
    seconds < 95
      ? [seconds, 's']
      : seconds < 95 * 60
        ? [seconds / 60, 'min']
        : seconds < 95 * 3600
          ? [seconds / 3600, 'h']
          : [seconds / 86_400, 'days'];
  return `${Number(value.toPrecision(1))} ${unit}`;
}
