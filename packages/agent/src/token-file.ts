import { readFileSync } from 'node:fs';

export function readToken(path: string): string {
  try {
    const token = readFileSync(path, 'utf8').trim();
    if (token !== '') return token;
  } catch (error) {
    throw new Error(`cannot read the agent's token from ${path}`, { cause: error });
  }
  throw new Error(`the agent's token in ${path} is empty`);
}
