import { readFileSync } from 'node:fs';

declare const AGENT_VERSION: string | undefined;

/** The product's version: set by the bundler, else read from the repository's package.json. */
export function agentVersion(): string {
  if (typeof AGENT_VERSION === 'string') return AGENT_VERSION;
  const path = new URL('../../../package.json', import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')).version;
}
