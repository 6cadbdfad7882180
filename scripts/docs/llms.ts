import type { SitePage } from './doc-pages.ts';

/** A group of the site's navigation. */
export interface PageGroup {
  readonly label: string;
  readonly items: readonly { readonly slug: string }[];
}

/** The list of pages for AI agents, in the form of llms.txt: the groups and the order of the navigation. */
export function llmsText(pages: readonly SitePage[], groups: readonly PageGroup[]): string {
  const sections = groups.map(({ label, items }) => {
    const lines = items.flatMap(({ slug }) => {
      const page = pages.find(({ id }) => id === slug);
      return page === undefined ? [] : [`- [${page.title}](/docs/${slug}.md): ${page.summary}`];
    });
    return `## ${label}\n\n${lines.join('\n')}\n`;
  });
  return `# dstack

> A control plane for AI workloads: one server, one command line and one HTTP API for runs on your own
> servers, the server's machine, and clouds. Configurations are YAML; \`dstack apply\` plans and starts them.

Agents can call dstack by MCP: \`dstack mcp\` over stdio, or the server's path \`/mcp\` with a token.
JSON Schemas: /schemas/configuration.json, /schemas/profiles.json, /schemas/server-config.json. The HTTP
API: /openapi.json.

${sections.join('\n')}`;
}
