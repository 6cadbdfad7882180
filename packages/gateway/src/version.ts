declare const AGENT_VERSION: string | undefined;

/** It is delivered with the agent and has its version. */
export function gatewayVersion(): string {
  return typeof AGENT_VERSION === 'string' ? AGENT_VERSION : 'development';
}
