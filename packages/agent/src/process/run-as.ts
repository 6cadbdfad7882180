import type { JobAccount } from '../executor/job-account.ts';
import { type JobCgroup, joinFiles } from '../host/cgroup.ts';

/** A program of this host with its arguments. */
export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** A command with a prefix that changes its user and namespaces. */
export interface WrappedCommand extends Command {
  /** The prefix: it runs the command as the job's user, with the job's environment. */
  readonly before: readonly string[];
}

export interface RunAs {
  readonly account: JobAccount;
  readonly cgroup: JobCgroup;
  /** A process in the namespaces of the job; null = the job has none. */
  readonly namespaceOf: number | null;
  /** Whether the directory is entered with the user's rights; else with the agent's. */
  readonly entersAsUser: boolean;
  /** New files are open to all users. */
  readonly opensFiles: boolean;
}

/** Variables that no program interprets, for the part of the prefix that runs with the agent's rights. */
const VARIABLE = '__DSTACK_ENV_';

/** Names that a shell takes by `export`; the others are given to `env`. */
const EXPORTABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const SPECIAL = /^(UID|EUID|PPID|OPTIND|SHELLOPTS|BASHOPTS|BASH_.*|__dstack_.*)$/;

/** With the agent's rights: joins the job's control groups and gives the terminal to the job's user. */
const JOIN = [
  'while [ "$1" != -- ]; do echo $$ 2>/dev/null > "$1"; shift; done; shift',
  't=$(readlink "/proc/$$/fd/0")',
  'case "$t" in /dev/pts/*) chown "$1" "$t" 2>/dev/null ;; esac',
  'shift; exec "$@"',
].join('; ');

/** Commands of the job's user that enter the directory, make it if needed, and set the job's environment. */
const BECOME = [
  '[ -d "$1" ] || mkdir -p "$1"; [ "$1" = . ] || cd "$1" || exit 1; unset OLDPWD; __dstack_n=$2; shift 2; __dstack_i=0',
  'while [ "$__dstack_i" -lt "$__dstack_n" ]; do',
  `eval "__dstack_v=\\$${VARIABLE}$__dstack_i"; unset "${VARIABLE}$__dstack_i"`,
  'export "$__dstack_v"; __dstack_i=$((__dstack_i + 1)); done',
  'unset __dstack_i __dstack_n __dstack_v; exec "$@"',
];

const BECOME_TEXT = BECOME.join('; ').replaceAll('do; ', 'do ');

/**
 * Adds the prefix that joins the job's control groups, enters the job's namespaces and switches to the
 * job's user. The beginning of the prefix runs with the agent's rights, so it must not have the job's
 * environment, which can make the loader or a shell run other programs. That environment is passed in
 * variables of other names, never on a command line, and set after the rights were dropped.
 */
export function runAs({ argv, env, cwd }: Command, as: RunAs): WrappedCommand {
  const { account, cgroup, namespaceOf, entersAsUser, opensFiles } = as;
  const names = Object.keys(env).filter((name) => !name.startsWith(VARIABLE));
  const exported = names.filter((name) => EXPORTABLE.test(name) && !SPECIAL.test(name));
  const given = names.filter((name) => !exported.includes(name));
  const before = [
    ...['/bin/sh', '-c', JOIN, 'sh', ...joinFiles(cgroup), '--', String(account.uid)],
    ...enterNamespaces(namespaceOf),
    ...switchUser(account),
    ...['/bin/sh', '-c', `${opensFiles ? 'umask 0; ' : ''}${BECOME_TEXT}`, 'sh'],
    ...[entersAsUser ? cwd : '.', String(exported.length)],
    ...(given.length > 0 ? ['env', ...given.map((name) => `${name}=${env[name]}`)] : []),
  ];
  const variables = exported.map((name, at) => [`${VARIABLE}${at}`, `${name}=${env[name]}`]);
  return {
    before,
    argv,
    env: {
      PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
      ...Object.fromEntries(variables),
    },
    cwd: entersAsUser ? '/' : cwd,
  };
}

/** Whether a process still runs the prefix, by its environment. */
export function isOnItsWay(environ: string): boolean {
  return environ.startsWith(`${VARIABLE}0=`) || environ.includes(`\0${VARIABLE}0=`);
}

/** A command prefix that enters the namespaces of another process. */
export function enterNamespaces(pid: number | null): string[] {
  if (pid === null) return [];
  return ['nsenter', `--mount=/proc/${pid}/ns/mnt`, `--ipc=/proc/${pid}/ns/ipc`, '--'];
}

/**
 * `setpriv` keeps the supplementary groups (video, render), which Node's own `uid` option drops.
 * Programs that change users (`sudo`) have no effect, except for accounts of the machine.
 */
function switchUser({ username, uid, gid, groups }: JobAccount): string[] {
  const ids = [`--reuid=${uid}`, `--regid=${gid}`];
  if (groups == null) {
    const own = username === null ? '--clear-groups' : '--init-groups';
    return ['setpriv', ...ids, own, '--'];
  }
  const given = groups.length === 0 ? '--clear-groups' : `--groups=${groups.join(',')}`;
  return ['setpriv', ...ids, given, '--no-new-privs', '--'];
}
