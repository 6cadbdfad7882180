/** The program of one gateway replica. The agent of its host starts it and keeps it running. */
import { errorMessage } from '@dstack/contract/error-message';
import { GatewayProgram } from './gateway.ts';

function option(name: string): string {
  const index = process.argv.indexOf(`--${name}`);
  const value = index < 0 ? undefined : process.argv[index + 1];
  // Both become a part of the configuration of nginx.
  if (value === undefined || !/^\/[\w./-]+$/.test(value)) {
    throw new Error(`--${name} needs an absolute path of letters, digits and . _ - /`);
  }
  return value;
}

try {
  const gateway = new GatewayProgram({ stateDir: option('state'), runtime: option('runtime') });
  await gateway.start();
} catch (error) {
  process.stderr.write(`error: ${errorMessage(error)}\n`);
  process.exit(1);
}
