/** The site of the documentation: the Markdown files of the folder above, and generated references. */
import starlight from '@astrojs/starlight';
import { defineConfig, passthroughImageService } from 'astro/config';
import { sidebar } from './sidebar.mjs';

export default defineConfig({
  base: '/docs',
  trailingSlash: 'ignore',
  outDir: process.env.DSTACK_DOCS_OUT ?? './dist',
  image: { service: passthroughImageService() },
  integrations: [
    starlight({
      title: 'dstack',
      description: 'A control plane for AI workloads',
      sidebar,
      customCss: ['./src/styles/site.css'],
      // Nothing is loaded from other servers, and no page links to an editor on one.
      credits: false,
      head: [],
      disable404Route: false,
    }),
  ],
});
