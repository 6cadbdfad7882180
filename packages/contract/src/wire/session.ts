/** Sessions of browsers. Our addition: the web UI of dstack 0.22.5 keeps the user's token. */
import type * as z from 'zod';
import { Flag, model, nullable, Text } from './scalars.ts';
import { User } from './user.ts';

/** `user` null: the caller is not signed in. `expires_at` null: not by a session. */
export const Session = model({
  user: nullable(User),
  /** Whether the session outlives the browser. */
  persistent: Flag,
  expires_at: nullable(Text),
});
export type Session = z.infer<typeof Session>;

/** Where the browser continues. */
export const ServiceSignIn = model({ url: Text });
export type ServiceSignIn = z.infer<typeof ServiceSignIn>;

/** The only answer that contains the key. The cookie is in a header. */
export const OpenedSession = model({ ...Session.shape, key: Text });
export type OpenedSession = z.infer<typeof OpenedSession>;
