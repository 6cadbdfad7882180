import type { SitePage } from './doc-pages.ts';

/** The list of pages for AI agents, in the form of llms.txt. */
export function llmsText(pages: readonly SitePage[]): string {
  const lines = pages.map(({ id, title, summary }) => `- [${title}](/docs/${id}.md): ${summary}`);
  return `# dstack

> A control plane for AI workloads: one server, one command line and one HTTP API for runs on your own
> servers, the server's machine, and clouds. Configurations are YAML; \`dstack apply\` plans and starts them.

Agents can call dstack by MCP: \`dstack mcp\` over stdio, or the server's path \`/mcp\` with a token.
JSON Schemas: /schemas/configuration.json, /schemas/profiles.json, /schemas/server-config.json. The HTTP
API: /openapi.json.

## Pages

${lines.join('\n')}
`;
}
