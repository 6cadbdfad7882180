/** Health of a host, as its agent reports it. */
import {
  type Infer,
  line,
  list,
  messageText,
  nullable,
  object,
  oneOf,
  rounded,
} from './schema-kit.ts';

const MAX_CHECKS = 32;
/** Longest message of a check, in characters. */
export const MAX_CHECK_MESSAGE = 500;

/** The result of one check. */
export const HostCheck = object({
  /** `gpu`, `dcgm`, `disk`; newer agents may have others. */
  name: line(64),
  status: oneOf('healthy', 'warning', 'failure'),
  /** The fault and the next step; null if there is no fault. */
  message: nullable(messageText(MAX_CHECK_MESSAGE)),
});
export type HostCheck = Infer<typeof HostCheck>;

export const HostHealth = object({
  /** Microseconds since the epoch by the host's clock when the report was sent. */
  time: rounded,
  /** The results of all checks, complete in each report. */
  checks: list(HostCheck, MAX_CHECKS),
});
export type HostHealth = Infer<typeof HostHealth>;
