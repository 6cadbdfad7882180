import { Problem, quote } from './problem.ts';

export interface ParsedPort {
  /** null = any free port. */
  readonly local_port: number | null;
  readonly container_port: number;
}

export const MIN_PORT = 1;
export const MAX_PORT = 65_535;

/** Container ports that dstack uses itself; they are never forwarded. */
export const RESERVED_PORTS = { min: 10_000, max: 10_999 } as const;

/** Reads `8000`, `80:8000` (local:container) or `*:8000` (any free local port). */
export function parsePort(text: string): ParsedPort | Problem {
  const match = /^(?:(\d+|\*):)?(\d+)$/.exec(text);
  if (!match) {
    return new Problem(`must be a port like 8000, '80:8000' or '*:8000', got ${quote(text)}`);
  }
  const container = Number(match[2]);
  const local = match[1] === '*' ? null : Number(match[1] ?? container);
  const wrong = [container, local].find((port) => port !== null && !isPort(port));
  if (wrong !== undefined) return new Problem(`must be within 1..65535, got ${wrong}`);
  return { local_port: local, container_port: container };
}

export function isPort(port: number): boolean {
  return port >= MIN_PORT && port <= MAX_PORT;
}

/** `8000`, `80:8000`, `*:8000`. */
export function formatPort(port: ParsedPort): string {
  if (port.local_port === port.container_port) return `${port.container_port}`;
  return `${port.local_port ?? '*'}:${port.container_port}`;
}
