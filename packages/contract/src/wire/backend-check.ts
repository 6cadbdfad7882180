/** Whether the server can work with the backends of a project. Our addition. */
import * as z from 'zod';
import { choiceOf, Flag, model, nullable, Text } from './scalars.ts';

export const BackendCheckStatus = choiceOf(['ok', 'denied', 'unreachable', 'offers_only']);
export type BackendCheckStatus = z.infer<typeof BackendCheckStatus>;

export const BackendCheck = model({
  backend: Text,
  /**
   * `denied`: the provider refuses the credentials, or a permission is missing; `unreachable`: no
   * useful answer in time; `offers_only`: this server shows its offers and creates no machines there.
   */
  status: BackendCheckStatus,
  /** One sentence; null = nothing is wrong. */
  problem: nullable(Text),
  /** Each permission or precondition, as the provider names it; `problem` of one that is ok is advice. */
  permissions: z.array(model({ name: Text, ok: Flag, problem: nullable(Text) })),
});
export type BackendCheck = z.infer<typeof BackendCheck>;
