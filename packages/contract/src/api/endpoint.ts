/** The shape of an entry in the endpoint table. */
import type * as z from 'zod';

/**
 * Who may call. `public`: any caller. `optional`: any caller, but valid credentials identify the caller.
 * `auth`: any active user. `global_admin`. `project_*`: global
 * admins, and members of the project in the path with that role or a higher one.
 * `member_or_public`: members, and all signed-in users if the project is public. `entity:*`:
 * signed in and the project exists; the operation checks the entity named in the body.
 * `service_token`: a static token of another program. `service_auth`: defined by the service.
 */
export type Permission =
  | 'public'
  | 'optional'
  | 'auth'
  | 'global_admin'
  | 'project_admin'
  | 'project_manager'
  | 'project_member'
  | 'member_or_public'
  | 'entity:fleet'
  | 'entity:gateway'
  | 'entity:instance'
  | 'service_token'
  | 'service_auth';

/**
 * How the body is read. `none`: ignored. `json`: one JSON object. `optional`: may be absent, empty
 * or null, which means all defaults. `file`: multipart with one part `file`, whose file name is the
 * content's hash. `raw`: passed on unchanged.
 */
export type BodyKind = 'none' | 'json' | 'optional' | 'file' | 'raw';

export interface Endpoint {
  /** `ALL`: every method. */
  readonly method: 'GET' | 'POST' | 'DELETE' | 'ALL';
  /** Parameters in braces: `/api/project/{project_name}/runs/get`. */
  readonly path: string;
  readonly permission: Permission;
  readonly body: BodyKind;
  /** Schema of the body, null if there is none. */
  readonly request: z.ZodType | null;
  /** Schema of the query, null if it is ignored. */
  readonly query: z.ZodType | null;
  /** Schema of a 200; null: the body is `null` or not JSON. */
  readonly response: z.ZodType | null;
  /** One line of description. */
  readonly summary: string;
}

/** A call without a body. */
export function bare<const P extends Permission, R extends z.ZodType | null>(
  path: string,
  permission: P,
  response: R,
  summary: string,
) {
  return {
    method: 'POST',
    path,
    permission,
    body: 'none',
    request: null,
    query: null,
    response,
    summary,
  } as const;
}

/** A call with a JSON body. */
export function call<const P extends Permission, Q extends z.ZodType, R extends z.ZodType | null>(
  path: string,
  permission: P,
  request: Q,
  response: R,
  summary: string,
) {
  return {
    method: 'POST',
    path,
    permission,
    body: 'json',
    request,
    query: null,
    response,
    summary,
  } as const;
}

/** A call whose body may be omitted. */
export function optionalCall<
  const P extends Permission,
  Q extends z.ZodType,
  R extends z.ZodType | null,
>(path: string, permission: P, request: Q, response: R, summary: string) {
  return { ...call(path, permission, request, response, summary), body: 'optional' } as const;
}

/** An upload of one file. */
export function upload<
  const P extends Permission,
  Q extends z.ZodType | null,
  R extends z.ZodType | null,
>(path: string, permission: P, query: Q, response: R, summary: string) {
  return { ...bare(path, permission, response, summary), body: 'file', query } as const;
}

/** A GET. */
export function get<
  const P extends Permission,
  Q extends z.ZodType | null,
  R extends z.ZodType | null,
>(path: string, permission: P, query: Q, response: R, summary: string) {
  return { ...bare(path, permission, response, summary), method: 'GET', query } as const;
}

/** A DELETE without a body and without a result. */
export function remove<const P extends Permission>(path: string, permission: P, summary: string) {
  return { ...bare(path, permission, null, summary), method: 'DELETE' } as const;
}

/** Any method, body and answer passed through. */
export function passThrough<const P extends Permission>(
  path: string,
  permission: P,
  method: 'GET' | 'POST' | 'ALL',
  summary: string,
) {
  return { ...bare(path, permission, null, summary), method, body: 'raw' } as const;
}
