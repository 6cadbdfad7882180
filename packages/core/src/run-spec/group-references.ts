import type { RunSpec } from '@dstack/contract/wire';
import { type SpecError, specError } from './result.ts';

type Configuration = RunSpec['configuration'];

const PLACEHOLDER = /\$?\$\{\{([^}]*)\}\}/g;
const REFERENCE = /^groups\[(\d+)\]\.(nodes|replicas)\[(\d+)\]\.IP_ADDRESS$/;

/**
 * `${{ groups[i].nodes[j].IP_ADDRESS }}` in commands must name a node that there is (of a service:
 * one of the replicas that are always there); elsewhere it would never be replaced.
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

/** The inner texts of all placeholders that speak of groups; `$${{` is an escape. */
function references(text: string): string[] {
  return [...text.matchAll(PLACEHOLDER)]
    .filter((match) => !match[0].startsWith('$$'))
    .map((match) => (match[1] ?? '').trim())
    .filter((inner) => inner === 'groups' || /^groups\W/.test(inner));
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
