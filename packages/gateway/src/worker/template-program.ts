import { fileURLToPath } from 'node:url';

/** The program of the process that renders chat templates. */
export function templateProgram(): string {
  const isSource = import.meta.url.endsWith('.ts');
  const entry = isSource ? '../../../proxy/src/models/template-main.ts' : './gateway-template.js';
  return fileURLToPath(new URL(entry, import.meta.url));
}

/** Node, and its arguments: where it needs its own loader, the agent passes the command that starts it. */
export function workerNode(): readonly string[] {
  return process.env.DSTACK_AGENT_NODE?.split(' ') ?? [process.execPath];
}
