import { createHmac } from 'node:crypto';

/**
 * The token of the agent of one instance, by the name with which the agent connects to the server: the same for every server
 * of the installation. The token of one instance proves nothing for another.
 */
export const agentToken = (secret: string, instance: string): string =>
  createHmac('sha256', secret).update(instance).digest('hex');
