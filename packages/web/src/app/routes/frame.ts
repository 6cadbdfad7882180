import { createRootRoute, createRoute, retainSearchParams } from '@tanstack/react-router';
import * as z from 'zod/mini';
import { Gate } from '../gate.tsx';
import { Shell } from '../shell/shell.tsx';

const RootSearch = z.object({
  /** Limits all lists to one project. */
  project: z.catch(z.optional(z.string().check(z.minLength(1), z.maxLength(100))), undefined),
});

export const root = createRootRoute({
  validateSearch: (search) => RootSearch.parse(search),
  search: { middlewares: [retainSearchParams(['project'])] },
  component: Gate,
});

/** The frame around all pages of a signed-in user; the parent of every page. */
export const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });
