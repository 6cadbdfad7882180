/** Health of a host, as its agent reports it. */
import { line, list, nullable, object, oneOf, type Read, rounded, words } from './read.ts';

/** The result of one check. `message`: what is wrong and what to do about it; null if nothing is. */
export interface HostCheck {
  /** `gpu`, `dcgm`, `disk`; newer agents may have others. */
  readonly name: string;
  readonly status: 'healthy' | 'warning' | 'failure';
  readonly message: string | null;
}

export interface HostHealth {
  /** Microseconds since the epoch by the host's clock when the report was sent. */
  readonly time: number;
  /** The results of all checks, complete in each report. */
  readonly checks: readonly HostCheck[];
}

const MAX_CHECKS = 32;
/** Longest message of a check, in characters. */
export const MAX_CHECK_MESSAGE = 500;

export const readHealth: Read<HostHealth> = object<HostHealth>({
  time: rounded,
  checks: list(
    object<HostCheck>({
      name: line(64),
      status: oneOf('healthy', 'warning', 'failure'),
      message: nullable(words(MAX_CHECK_MESSAGE)),
    }),
    MAX_CHECKS,
  ),
});
