import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
// Read before the router changes the address.
import '../../data/session/arrived.ts';
import { root, shell } from './frame.ts';

/** Ends the session; nothing is shown. */
export const signOutPage = createRoute({
  getParentRoute: () => shell,
  path: '/logout',
  component: lazyRouteComponent(
    () => import('../../pages/sign-in/sign-out-page.tsx'),
    'SignOutPage',
  ),
});

/** Shown with and without a session. */
export const callbackPage = createRoute({
  getParentRoute: () => root,
  path: '/auth/$provider/callback',
  component: lazyRouteComponent(
    () => import('../../pages/sign-in/callback-page.tsx'),
    'CallbackPage',
  ),
});
