import { createRootRoute, createRoute, redirect, retainSearchParams } from '@tanstack/react-router';
import { searchSchema, textParameter } from '../../ui/search-schema.ts';
import { Gate } from '../gate.tsx';
import { Shell } from '../shell/shell.tsx';
import { formerAddress } from './former-addresses.ts';

const RootSearch = searchSchema({
  /** Limits all lists to one project. */
  project: textParameter(1, 100),
});

export const root = createRootRoute({
  validateSearch: (search) => RootSearch.parse(search),
  search: { middlewares: [retainSearchParams(['project'])] },
  beforeLoad: ({ location }) => {
    const href = formerAddress(location.pathname, location.search);
    if (href !== null) throw redirect({ href, replace: true });
  },
  component: Gate,
});

/** The frame around all pages of a signed-in user; the parent of every page. */
export const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });
