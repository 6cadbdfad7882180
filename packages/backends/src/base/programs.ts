import type { Readable } from 'node:stream';

/** One gzip file. */
export interface AgentProgram {
  /** Changes with its content. */
  readonly name: string;
  /** Compressed bytes. */
  readonly size: number;
  open(): Readable;
}

/** The programs of the agent, for each architecture. */
export interface AgentPrograms {
  node(arch: 'x64' | 'arm64'): Promise<AgentProgram>;
  /** A tar of the loader and the libraries of Node. */
  libraries(arch: 'x64' | 'arm64'): Promise<AgentProgram>;
  /** A tar of the agent's bundle. */
  agent(): Promise<AgentProgram>;
}

/** The name of the loader of Node among its libraries. */
export const LOADERS: Readonly<Record<'x64' | 'arm64', string>> = {
  x64: 'ld-linux-x86-64.so.2',
  arm64: 'ld-linux-aarch64.so.1',
};
