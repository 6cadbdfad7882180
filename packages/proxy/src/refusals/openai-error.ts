/** Errors in the form of OpenAI's API, which clients expect below `/v1`. */

/** Whether a path promises this form, also one of a service: below its path, or at its host name. */
export function isOpenAiPath(path: string): boolean {
  return /^(\/proxy\/(services\/[^/?]+|hosts)\/[^/?]+)?\/v1\//.test(path);
}

export function openAiErrorType(status: number): string {
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}
