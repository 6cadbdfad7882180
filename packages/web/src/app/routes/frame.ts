import { createRootRoute, createRoute, retainSearchParams } from '@tanstack/react-router';
import { searchSchema, textParameter } from '../../ui/search-schema.ts';
import { Gate } from '../gate.tsx';
import { Shell } from '../shell/shell.tsx';

const RootSearch = searchSchema({
  /** Limits all lists to one project. */
  project: textParameter(1, 100),
});

export const root = createRootRoute({
  validateSearch: (search) => RootSearch.parse(search),
  search: { middlewares: [retainSearchParams(['project'])] },
  component: Gate,
});

/** The frame around all pages of a signed-in user; the parent of every page. */
export const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });
