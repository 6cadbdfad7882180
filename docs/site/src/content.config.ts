import { defineCollection } from 'astro:content';
import { docsSchema } from '@astrojs/starlight/schema';
import { repositoryPages } from './repository-pages.mjs';

export const collections = {
  docs: defineCollection({ loader: repositoryPages(), schema: docsSchema() }),
};
