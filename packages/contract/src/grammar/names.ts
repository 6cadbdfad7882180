/** Names of runs, fleets, volumes, gateways and presets. The server refuses others. */
export const RESOURCE_NAME = /^[a-z][a-z0-9-]{1,40}$/;

/** Names of node groups and replica groups. */
export const GROUP_NAME = /^[a-z0-9][a-z0-9-]{0,39}$/;

/** Names of projects and of users (both unique without regard to case), and of secrets. */
export const PROJECT_NAME = /^[a-zA-Z0-9-_]{1,50}$/;
export const USER_NAME = /^[a-zA-Z0-9-_]{1,60}$/;
export const SECRET_NAME = /^[A-Za-z0-9-_]{1,200}$/;

export const TAG_KEY = /^[_\-a-zA-Z0-9]{1,60}$/;
export const TAG_VALUE = /^[a-zA-Z0-9 .:/=_\-+@]{0,256}$/;

/** Names of environment variables. */
export const ENV_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

export function isResourceName(name: string): boolean {
  return RESOURCE_NAME.test(name);
}

export function isGroupName(name: string): boolean {
  return GROUP_NAME.test(name);
}
