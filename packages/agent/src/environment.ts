import { readFileSync } from 'node:fs';

/** The program that starts the agent sets these; a fleet cannot. */
const OWN = new Set(['DSTACK_AGENT_NODE']);

/**
 * Variables of the fleet for the agent and the tools that it starts, such as proxies. They are read
 * from a file, since a script could run a value as a command. A missing file means no variables;
 * throws an `Error` for a file that is not a map of texts.
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
    throw new Error(`${path} is not a JSON object of variables`);
  }
  const usable = Object.entries(given).filter(
    ([name, value]) => typeof value === 'string' && isName(name) && !value.includes('\0'),
  );
  return Object.fromEntries(usable) as Record<string, string>;
}

function isName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !OWN.has(name);
}
