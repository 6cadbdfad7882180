import { nearest } from '@dstack/contract/nearest';
import type { Member } from '@dstack/contract/wire';
import { type Command, Option } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { showList } from '../../output/listing.ts';
import {
  addOutputOptions,
  type OutputOptions,
  outputOptions,
} from '../../output/output-options.ts';
import { renderTable } from '../../terminal/table.ts';

type Role = Member['project_role'];
const ROLES: readonly Role[] = ['user', 'manager', 'admin'];

export const memberCommands = {
  list: runMemberList,
  set: runMemberSet,
  remove: runMemberRemove,
};

export function declareMember(project: Command, cli: Cli, run = memberCommands): void {
  const member = addOutputOptions(
    project.command('member').description('Manage the members of a project on the server'),
  );
  member.action((_o, self: Command) => run.list(outputOptions(self.optsWithGlobals()), cli));
  addOutputOptions(member.command('list').description('List members and their roles')).action(
    (_o, self: Command) => run.list(outputOptions(self.optsWithGlobals()), cli),
  );
  member
    .command('add')
    .description('Add a user of the server to the project')
    .argument('<name>')
    .addOption(new Option('--role <role>', 'user, manager or admin').choices(ROLES).default('user'))
    .action((name, o) => run.set({ name, role: o.role, isNew: true }, cli));
  member
    .command('role')
    .description('Change the role of a member')
    .argument('<name>')
    .argument('<role>', ROLES.join(', '))
    .action((name, role) => run.set({ name, role, isNew: false }, cli));
  member
    .command('remove')
    .description('Remove members; their running jobs are not stopped')
    .argument('<name...>')
    .option('-y, --yes', 'do not ask')
    .action((names, o) => run.remove({ names, yes: o.yes ?? false }, cli));
}

export async function runMemberList(options: OutputOptions, cli: Cli): Promise<void> {
  const { client, project } = await cli.connect();
  const listing = {
    key: 'members',
    load: async () => (await client.projects.get(project.name)).members,
    table: (members: readonly Member[]) => memberTable(members, cli),
    name: ({ user }: Member) => user.username,
    document: { project: project.name },
    empty: `No members in project ${project.name}. Add one: dstack project member add NAME`,
  };
  await showList(listing, { ...options, watch: false }, cli);
}

function memberTable(members: readonly Member[], cli: Cli): string {
  const columns = [
    { header: 'NAME', keep: true },
    { header: 'ROLE', keep: true },
    { header: 'EMAIL', optional: 1 },
  ];
  const rows = members.map(({ user, project_role }) => [
    user.username,
    project_role,
    user.email ?? '-',
  ]);
  return renderTable(columns, rows, { width: cli.io.width, paint: cli.io.paint });
}

export interface MemberSetOptions {
  readonly name: string;
  readonly role: string;
  /** False: the user must be a member already. */
  readonly isNew: boolean;
}

export async function runMemberSet(
  { name, role, isNew }: MemberSetOptions,
  cli: Cli,
): Promise<void> {
  if (!ROLES.includes(role as Role)) {
    throw new CliError(`There is no role ${role}`, {
      exitCode: EXIT.usage,
      why: `roles in a project: ${ROLES.join(', ')}`,
    });
  }
  const { client, project } = await cli.connect();
  const members = await membersOf(client, project.name);
  const isMember = members.some(({ user }) => user.username === name);
  if (!isNew) requireMembers([name], members, project.name);
  if (isNew && isMember) {
    throw new CliError(`${name} is a member of project ${project.name} already`, {
      next: `dstack project member role ${name} ${role}`,
    });
  }
  const project_role = role as Role;
  await client.projects.addMembers(project.name, [{ username: name, project_role }]);
  cli.io.info(`${name} has the role ${role} in project ${project.name}`);
}

export async function runMemberRemove(
  { names, yes }: { names: readonly string[]; yes: boolean },
  cli: Cli,
): Promise<void> {
  const { client, project } = await cli.connect();
  requireMembers(names, await membersOf(client, project.name), project.name);
  const question = `Remove ${names.join(', ')} from project ${project.name}?`;
  if (!yes && !(await cli.prompt.confirm(question))) {
    cli.io.info('Exiting...');
    return;
  }
  await client.projects.removeMembers(project.name, names);
  cli.io.info('OK');
}

type Client = Awaited<ReturnType<Cli['connect']>>['client'];

async function membersOf(client: Client, project: string): Promise<readonly Member[]> {
  return (await client.projects.get(project)).members;
}

function requireMembers(
  names: readonly string[],
  members: readonly Member[],
  project: string,
): void {
  const known = members.map(({ user }) => user.username);
  const missing = names.find((name) => !known.includes(name));
  if (missing === undefined) return;
  const near = nearest(missing, known);
  throw new CliError(`${missing} is not a member of project ${project}`, {
    exitCode: EXIT.notFound,
    why: `members: ${known.join(', ')}`,
    next: near === undefined ? `dstack project member add ${missing}` : `did you mean ${near}?`,
  });
}
