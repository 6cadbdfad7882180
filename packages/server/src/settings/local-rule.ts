import { whyOpen } from './reach.ts';
import type { ServerSettings } from './settings.ts';

/** The projects that may run jobs on the server's machine now, or the reason why there are none. */
export type LocalRule =
  | { readonly kind: 'on'; readonly projects: readonly string[] }
  | { readonly kind: 'off'; readonly reason: string };

/**
 * Local jobs run untrusted code on the server's machine. By default only jobs of project `main` may
 * run there, and only while no other computer can reach the server.
 */
export function localRule(
  settings: Pick<ServerSettings, 'local' | 'host' | 'url' | 'trustedProxies'>,
): LocalRule {
  const { projects } = settings.local;
  if (projects !== null && projects.length > 0) return { kind: 'on', projects };
  if (projects !== null) return { kind: 'off', reason: 'DSTACK_LOCAL_PROJECTS names no project' };
  const open = whyOpen(settings);
  if (open === null) return { kind: 'on', projects: ['main'] };
  const reason = `others can reach this server, since ${open}; name projects in DSTACK_LOCAL_PROJECTS to allow them`;
  return { kind: 'off', reason };
}
