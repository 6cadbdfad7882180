import type { Duplex } from 'node:stream';

/** A way to a host through another one. */
export interface JumpTunnel {
  readonly stream: Duplex;
  /** To be called once, when it is not needed any more. */
  readonly release: () => void;
}
