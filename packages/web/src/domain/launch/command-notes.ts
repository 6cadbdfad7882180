import { joinTrap } from '@dstack/contract/joined-commands';

/** Commands of a valid configuration that would take the next one for part of themselves. */
export function commandNotes(configuration: Readonly<Record<string, unknown>>): readonly string[] {
  const { commands, entrypoint } = configuration;
  // An entrypoint gets the lines as arguments.
  if (!Array.isArray(commands) || (entrypoint !== undefined && entrypoint !== null)) return [];
  return commands.slice(0, -1).flatMap((command: unknown, index) => {
    const trap = typeof command === 'string' ? joinTrap(command) : null;
    return trap === null ? [] : [`commands.${index} ${trap}`];
  });
}
