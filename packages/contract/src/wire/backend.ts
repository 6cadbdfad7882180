/** Backend types, and the public part of a project's backends. */
import type * as z from 'zod';
import { JsonObject, model, Text } from './scalars.ts';

/** Closed for clients: they refuse any other value in a response. */
export { BACKEND_TYPES, BackendType } from '../configuration/backend-types.ts';

/** A backend of a project, without credentials. `config` differs by `config.type`. */
export const BackendInfo = model({ name: Text, config: JsonObject });
export type BackendInfo = z.infer<typeof BackendInfo>;

export const BackendInfoYAML = model({ name: Text, config_yaml: Text });
export type BackendInfoYAML = z.infer<typeof BackendInfoYAML>;
