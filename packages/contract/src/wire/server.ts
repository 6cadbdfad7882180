/** The server itself, log-in providers, the SSH proxy and UI templates. */
import * as z from 'zod';
import { tagged } from '../configuration/schema-kit.ts';
import { Flag, Integer, JsonObject, listOf, literal, model, nullable, Text } from './scalars.ts';

export const ServerInfo = model({
  server_version: nullable(Text),
  /** Bytes of one upload with its multipart frame; 0 = no limit. Older servers do not report it. */
  upload_limit: nullable(Integer),
});
export type ServerInfo = z.infer<typeof ServerInfo>;

export const OAuthProviderInfo = model({ name: Text, enabled: Flag });
export type OAuthProviderInfo = z.infer<typeof OAuthProviderInfo>;

export const OAuthAuthorizeResponse = model({ authorization_url: Text });
export type OAuthAuthorizeResponse = z.infer<typeof OAuthAuthorizeResponse>;

/**
 * `needs_consent` and `username` are ours: the page asks before it hands the code to the program that has begun, and names
 * the user whom the program would get.
 */
export const OAuthGetNextRedirectResponse = model({
  redirect_url: nullable(Text),
  needs_consent: Flag.default(false),
  username: nullable(Text),
});
export type OAuthGetNextRedirectResponse = z.infer<typeof OAuthGetNextRedirectResponse>;

export const UpstreamHost = model({ host: Text, port: Integer, user: Text, private_key: Text });
export type UpstreamHost = z.infer<typeof UpstreamHost>;

/** Jump hosts first, the target last. */
export const GetUpstreamResponse = model({
  hosts: z.array(UpstreamHost),
  authorized_keys: z.array(Text),
});
export type GetUpstreamResponse = z.infer<typeof GetUpstreamResponse>;

export const UITemplateParameter = tagged('type', {
  name: model({ type: literal('name') }),
  ide: model({ type: literal('ide') }),
  resources: model({ type: literal('resources') }),
  python_or_docker: model({ type: literal('python_or_docker') }),
  repo: model({ type: literal('repo') }),
  working_dir: model({ type: literal('working_dir') }),
  env: model({
    type: literal('env'),
    title: nullable(Text),
    name: nullable(Text),
    value: nullable(Text),
  }),
});
export type UITemplateParameter = z.infer<typeof UITemplateParameter>;

export const UITemplate = model({
  type: literal('template'),
  name: Text,
  title: Text,
  description: nullable(Text),
  parameters: listOf(UITemplateParameter),
  configuration: JsonObject,
});
export type UITemplate = z.infer<typeof UITemplate>;
