/** The configuration schemas and the documentation, for models that write configurations. */
import {
  configurationJsonSchema,
  profilesJsonSchema,
  serverConfigJsonSchema,
} from '@dstack/contract';
import { type McpServer, ResourceTemplate } from '@modelcontextprotocol/server';
import type { DocPages } from './doc-pages.ts';

const SCHEMAS = {
  configuration: ['Schema of .dstack.yml', configurationJsonSchema],
  profiles: ['Schema of .dstack/profiles.yml', profilesJsonSchema],
  'server-config': ["Schema of the server's config.yml", serverConfigJsonSchema],
} as const;

const DOCS = 'dstack://docs/';

export function registerResources(server: McpServer, docs: DocPages): void {
  for (const [name, [title, schema]] of Object.entries(SCHEMAS)) {
    const mimeType = 'application/schema+json';
    server.registerResource(
      `schema-${name}`,
      `dstack://schemas/${name}`,
      { title, mimeType },
      async ({ href }) => ({
        contents: [{ uri: href, mimeType, text: JSON.stringify(schema()) }],
      }),
    );
  }
  const mimeType = 'text/markdown';
  const template = new ResourceTemplate(`${DOCS}{+page}`, {
    list: async () => ({
      resources: (await docs.list()).map(({ name, title }) => ({
        ...{ uri: DOCS + name, name: `docs-${name}`, title, mimeType },
      })),
    }),
  });
  server.registerResource(
    'docs',
    template,
    { title: 'Documentation', mimeType },
    async ({ href }) => {
      const name = decodeURIComponent(href.slice(DOCS.length));
      const text = await docs.read(name);
      if (text === null) {
        const known = (await docs.list()).map((page) => page.name).join(', ');
        throw new Error(`There is no page ${name}; there are: ${known}`);
      }
      return { contents: [{ uri: href, mimeType, text }] };
    },
  );
}
