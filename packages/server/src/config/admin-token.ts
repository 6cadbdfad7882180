import type { Store } from '@dstack/store';
import { StartError } from '../process/start-error.ts';
import { whyOpen } from '../settings/reach.ts';
import type { ServerSettings } from '../settings/settings.ts';

/** Shorter tokens can be guessed. */
const LEAST = 16;

/**
 * The admin's token gives full control of the server. Throws `StartError` for a short one if others
 * can reach the server; returns a warning if a private server has one, otherwise null. Must be
 * called before the admin is created.
 */
export async function checkAdminToken(
  store: Pick<Store, 'users'>,
  settings: ServerSettings,
): Promise<string | null> {
  const admin = await store.users.byName('admin');
  const stored = admin && (await store.users.credentials(admin.id));
  const token = admin ? (stored?.token ?? null) : settings.adminToken;
  const length = token === null ? LEAST : [...token].length;
  if (length >= LEAST) return null;
  const problem = `the admin token has ${length} characters, fewer than ${LEAST}`;
  const open = whyOpen(settings);
  if (open !== null) {
    throw new StartError(`${problem}, and others can reach this server, since ${open}`, {
      next: admin
        ? 'start it on 127.0.0.1 without a proxy, and replace the token there: dstack user rotate admin'
        : 'choose a longer one with --token or DSTACK_SERVER_ADMIN_TOKEN, or none: then the server generates one',
    });
  }
  return `${problem[0]?.toUpperCase()}${problem.slice(1)}: replace it before others can reach this server (dstack user rotate admin).`;
}
