import { type Placeholder, placeholders, replacePlaceholders } from '@dstack/contract';
import type { RunSpec } from '@dstack/contract/wire';
import { type SpecError, specError } from './result.ts';

type Configuration = RunSpec['configuration'];

const REFERENCE = /^groups\[(\d+)\]\.(nodes|replicas)\[(\d+)\]\.IP_ADDRESS$/;

/**
 * `${{ groups[i].nodes[j].IP_ADDRESS }}` in commands must name an existing node (for a service, one
 * of the replicas that always exist). In other keys it would never be replaced.
 */
export function groupReferenceError(configuration: Configuration): SpecError | null {
  for (const value of Object.values(configuration.env)) {
    if (typeof value === 'string' && references(value).length > 0) {
      return specError('`groups[...]` can be used in commands only, not in `env`');
    }
  }
  if (configuration.type === 'dev-environment') return null;
  const member = configuration.type === 'task' ? 'nodes' : 'replicas';
  const sizes = groupSizes(configuration);
  const commands = [
    ...configuration.commands,
    ...(configuration.groups ?? []).flatMap((group) => group.commands),
  ];
  for (const reference of commands.flatMap(references)) {
    const message = referenceProblem(reference, member, sizes);
    if (message) return specError(`\${{ ${reference} }}: ${message}`);
  }
  return null;
}

/** A node of a task's group, or a replica of a service's, by position. */
export interface GroupMember {
  readonly group: number;
  readonly index: number;
}

/** The jobs whose addresses these commands mention. */
export function groupMembers(commands: readonly string[]): GroupMember[] {
  return commands.flatMap(references).flatMap((reference) => memberOf(reference) ?? []);
}

/**
 * The commands with addresses in place of references. An escaped reference (`$${{`) loses a dollar.
 */
export function fillGroupAddresses(
  commands: readonly string[],
  addressOf: (member: GroupMember) => string,
): string[] {
  return replaceReferences(commands, (whole, name) => {
    const member = memberOf(name);
    return member === null ? whole : addressOf(member);
  });
}

/** Commands that mention no address, as they are run: an escaped reference loses a dollar. */
export function unescapeReferences(commands: readonly string[]): string[] {
  return replaceReferences(commands, (whole) => whole);
}

function replaceReferences(
  commands: readonly string[],
  replace: (whole: string, name: string) => string,
): string[] {
  const fill = ({ text, inner, isEscaped }: Placeholder): string => {
    const name = inner.trim();
    if (isEscaped) return isOfGroups(name) ? text.slice(1) : text;
    return replace(text, name);
  };
  return commands.map((text) => replacePlaceholders(text, fill));
}

const isOfGroups = (name: string): boolean => name === 'groups' || /^groups\W/.test(name);

function memberOf(reference: string): GroupMember | null {
  const match = REFERENCE.exec(reference);
  return match && { group: Number(match[1]), index: Number(match[3]) };
}

/** The inner texts of all placeholders that mention groups; `$${{` is an escape. */
function references(text: string): string[] {
  return placeholders(text)
    .filter(({ isEscaped }) => !isEscaped)
    .map(({ inner }) => inner.trim())
    .filter(isOfGroups);
}

function referenceProblem(
  reference: string,
  member: 'nodes' | 'replicas',
  sizes: readonly number[],
): string | null {
  const match = REFERENCE.exec(reference);
  const form = `groups[i].${member}[j].IP_ADDRESS`;
  if (!match || match[2] !== member) return `write \`${form}\``;
  const size = sizes[Number(match[1])];
  if (size === undefined) return `there is no group ${match[1]}`;
  return Number(match[3]) < size ? null : `group ${match[1]} has only ${size} ${member}`;
}

function groupSizes(configuration: Exclude<Configuration, { type: 'dev-environment' }>): number[] {
  if (configuration.type === 'task') {
    return configuration.groups?.map((group) => group.nodes) ?? [configuration.nodes ?? 1];
  }
  const groups = configuration.groups;
  return groups?.map((group) => group.replicas.min ?? 0) ?? [configuration.replicas?.min ?? 1];
}
