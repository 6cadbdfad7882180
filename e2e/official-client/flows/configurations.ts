import type { OfficialClient } from '../official-client.ts';

/**
 * A task that every computer can run; `more` are further lines of YAML. Returns the file's name.
 */
export function task(
  client: OfficialClient,
  name: string,
  commands: readonly string[],
  more = '',
): string {
  return client.write(
    `${name}.dstack.yml`,
    `type: task\nname: ${name}\ncommands: ${JSON.stringify(commands)}\nresources: {gpu: 0}\n${more}\n`,
  );
}

/** A template of at most one instance on the server's machine. */
export function fleet(client: OfficialClient, name: string, more = ''): string {
  return client.write(
    `${name}.fleet.dstack.yml`,
    `type: fleet\nname: ${name}\nnodes: 0..1\nresources: {gpu: 0}\n${more}\n`,
  );
}

/** Prints that it has started, and runs until it is stopped. */
export const STAYING = ['echo here I am', 'exec sleep 600'];
