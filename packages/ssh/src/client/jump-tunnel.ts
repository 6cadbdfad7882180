import type { Duplex } from 'node:stream';

/** A tunnel to a host through another one. */
export interface JumpTunnel {
  readonly stream: Duplex;
  /** Call it once, when the tunnel is no longer needed. */
  readonly release: () => void;
}
