import { readFileSync } from 'node:fs';

/** Set by whoever starts the agent, and no business of a fleet. */
const OWN = new Set(['DSTACK_AGENT_NODE']);

/**
 * Variables of the fleet for the agent and the tools that it starts (proxies and the like). They
 * come in a file: in a script a value could become a command. Throws an `Error` for a file that
 * is not such a map; none is an empty one.
 */
export function readEnvironment(path: string): Record<string, string> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  const given: unknown = JSON.parse(text);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new Error(`${path} holds no object of variables`);
  }
  const usable = Object.entries(given).filter(
    ([name, value]) => typeof value === 'string' && isName(name) && !value.includes('\0'),
  );
  return Object.fromEntries(usable) as Record<string, string>;
}

function isName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !OWN.has(name);
}
