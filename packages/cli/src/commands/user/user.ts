import { nearest } from '@dstack/contract/nearest';
import type { User } from '@dstack/contract/wire';
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

type GlobalRole = User['global_role'];
const ROLES: readonly GlobalRole[] = ['user', 'admin'];

export interface UserAddOptions {
  readonly name: string;
  readonly role: GlobalRole;
  readonly email: string | null;
  readonly json: boolean;
}

export function declareUser(
  program: Command,
  cli: Cli,
  run = {
    list: runUserList,
    add: runUserAdd,
    role: runUserRole,
    remove: runUserRemove,
    rotate: runUserRotate,
  },
): void {
  const user = addOutputOptions(
    program.command('user').description('Manage the users of the server (for its admins)'),
  );
  user.action((options) => run.list(outputOptions(options), cli));
  addOutputOptions(user.command('list').description('List users')).action((_o, self: Command) =>
    run.list(outputOptions(self.optsWithGlobals()), cli),
  );
  user
    .command('add')
    .description('Add a user and print the token once')
    .argument('<name>')
    .addOption(
      new Option('--role <role>', 'user, or admin of the whole server')
        .choices(ROLES)
        .default('user'),
    )
    .option('--email <address>', 'e-mail address')
    .option('--json', 'print JSON')
    .action((name, o, self: Command) =>
      run.add(
        { name, role: o.role, email: o.email ?? null, json: self.optsWithGlobals().json ?? false },
        cli,
      ),
    );
  user
    .command('role')
    .description('Change the role of a user')
    .argument('<name>')
    .argument('<role>', 'user or admin')
    .action((name, role) => run.role({ name, role }, cli));
  user
    .command('remove')
    .description('Delete users; their tokens and keys stop working')
    .argument('<name...>')
    .option('-y, --yes', 'do not ask')
    .action((names, o) => run.remove({ names, yes: o.yes ?? false }, cli));
  user
    .command('rotate')
    .description('Replace the token of a user and print the new one once')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'print JSON')
    .action((name, o, self: Command) =>
      run.rotate({ name, yes: o.yes ?? false, json: self.optsWithGlobals().json ?? false }, cli),
    );
}

export async function runUserList(options: OutputOptions, cli: Cli): Promise<void> {
  const { client } = await cli.connectToServer();
  const listing = {
    key: 'users',
    load: () => client.users.list(),
    table: (users: readonly User[]) => userTable(users, cli),
    name: (user: User) => user.username,
    empty: 'No users. Add one: dstack user add NAME',
  };
  await showList(listing, { ...options, watch: false }, cli);
}

function userTable(users: readonly User[], cli: Cli): string {
  const columns = [
    { header: 'NAME', keep: true },
    { header: 'ROLE', keep: true },
    { header: 'EMAIL', optional: 1 },
    { header: 'ACTIVE', optional: 2 },
    { header: 'CREATED', optional: 3 },
  ];
  const rows = users.map((user) => [
    user.username,
    user.global_role,
    user.email ?? '-',
    user.active ? '✓' : 'no',
    (user.created_at ?? '').slice(0, 10),
  ]);
  return renderTable(columns, rows, { width: cli.io.width, paint: cli.io.paint });
}

/** Only the token goes to stdout, so that it can be piped to a secret store. */
export async function runUserAdd(
  { name, role, email, json }: UserAddOptions,
  cli: Cli,
): Promise<void> {
  const { client, address } = await cli.connectToServer();
  const created = await client.users.create({ username: name, global_role: role, email });
  const { creds } = await client.users.get(name);
  if (json) {
    cli.io.json({ ...created, token: creds.token }, 2);
    return;
  }
  cli.io.info(
    `User ${name} added. Next: dstack project member add ${name} --role user --project ${address.project ?? 'PROJECT'}`,
  );
  cli.io.info('The token will not be shown again:');
  cli.io.print(`${creds.token}\n`);
}

export async function runUserRole(
  { name, role }: { name: string; role: string },
  cli: Cli,
): Promise<void> {
  if (!ROLES.includes(role as GlobalRole)) {
    throw new CliError(`There is no role ${role}`, {
      exitCode: EXIT.usage,
      why: `global roles: ${ROLES.join(', ')}`,
      next: 'roles in a project: dstack project member role NAME ROLE',
    });
  }
  const { client } = await cli.connectToServer();
  const { username, email, active } = requireUser(name, await client.users.list());
  const global_role = role as GlobalRole;
  await client.users.update({ username, global_role, email: email ?? null, active });
  cli.io.info(`User ${name} has the role ${role}`);
}

export async function runUserRemove(
  { names, yes }: { names: readonly string[]; yes: boolean },
  cli: Cli,
): Promise<void> {
  const { client } = await cli.connectToServer();
  const users = await client.users.list();
  for (const name of names) requireUser(name, users);
  const what = names.length === 1 ? `the user ${names[0]}` : `the users ${names.join(', ')}`;
  if (!yes && !(await cli.prompt.confirm(`Delete ${what}?`))) {
    cli.io.info('Exiting...');
    return;
  }
  await client.users.delete(names);
  cli.io.info('OK');
}

export async function runUserRotate(
  { name, yes, json }: { name: string; yes: boolean; json: boolean },
  cli: Cli,
): Promise<void> {
  const { client, address } = await cli.connectToServer();
  requireUser(name, await client.users.list());
  const question = `Replace the token of ${name}? The present one stops working at once.`;
  if (!yes && !(await cli.prompt.confirm(question))) {
    cli.io.info('Exiting...');
    return;
  }
  const { creds } = await client.users.refreshToken(name);
  if (json) {
    cli.io.json({ username: name, token: creds.token }, 2);
    return;
  }
  cli.io.info(
    `The new token of ${name}. Store it: dstack project add --name ${address.project ?? 'PROJECT'} --url ${address.url} --token TOKEN`,
  );
  cli.io.print(`${creds.token}\n`);
}

export function requireUser(name: string, users: readonly User[]): User {
  const found = users.find((user) => user.username === name);
  if (found !== undefined) return found;
  const near = nearest(
    name,
    users.map((user) => user.username),
  );
  throw new CliError(`User ${name} does not exist`, {
    exitCode: EXIT.notFound,
    why: 'you see all users only as an admin of the server',
    next: near === undefined ? 'dstack user list' : `did you mean ${near}? (dstack user list)`,
  });
}
