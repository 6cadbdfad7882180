/** The prefix distinguishes service tokens from users' tokens, in logs and for secret scanners. */
export const SERVICE_TOKEN_PREFIX = 'dstack_st_';

/** Tokens of jobs (`dstack: true`): service tokens that the server itself issues. */
export const JOB_TOKEN_PREFIX = `${SERVICE_TOKEN_PREFIX}job_`;
