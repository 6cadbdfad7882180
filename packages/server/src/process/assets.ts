import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Files that are shipped with the server: beside its bundle, or in the source tree in development.
 */
export const assets = {
  agentProgram: locate('../agent/main.js', '../../../agent/src/main.ts'),
  /** The agent's bundle, for hosts; in development the last one built. */
  agentBundle: locate('../agent', '../../../../dist/agent'),
  /** The program of the process that renders chat templates. */
  templateProgram: locate('./template.js', '../../../proxy/src/models/template-main.ts'),
  /** The program of the workers of the proxy. */
  proxyWorkerProgram: locate('./proxy-worker.js', '../proxy-workers/worker/worker-main.ts'),
  /** The web UI; may be absent. */
  webUi: locate('../web', '../../../../dist/web'),
  /** The built site of the documentation; may be absent. */
  docsSite: locate('../docs', '../../../../dist/docs'),
  /** Its pages as Markdown, for MCP clients: with the site, or their sources; may be absent. */
  docs: locate('../docs', '../../../../docs'),
  catalog: locate('./catalog.csv', '../../../backends/data/catalog.csv'),
};

function locate(bundled: string, source: string): string {
  const beside = fileURLToPath(new URL(bundled, import.meta.url));
  const fromSource = import.meta.url.endsWith('.ts');
  return !fromSource && existsSync(beside)
    ? beside
    : fileURLToPath(new URL(source, import.meta.url));
}
