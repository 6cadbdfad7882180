/**
 * `apptainer exec` as its documentation describes it (version 1.3: the pages "Environment and Metadata", "Bind
 * Paths and Mounts", "Support for Docker and OCI Containers", and the help of the command), without a container:
 * prints what the container would have, as JSON.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const NAMES = [
  ...['writable-tmpfs', 'no-home', 'nv', 'rocm', 'no-eval', 'no-init'],
  ...['containall', 'cleanenv', 'fakeroot'],
];
/** Options without a value, with their short forms. */
const SWITCHES = new Map<string, string>([
  ...NAMES.map((name): [string, string] => [`--${name}`, name]),
  ['-C', 'containall'],
  ['-e', 'cleanenv'],
  ['-f', 'fakeroot'],
]);
const BIND = ['--bind', '-B'];
const SOURCES = /^(docker|library|oras|shub|instance):\/\/./;
/** The only variables of the caller that are in a clean environment. */
const KEPT = ['HOME', 'LANG', 'TERM'];
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const PREFIX = 'APPTAINERENV_';

function fail(message: string): never {
  process.stderr.write(`FATAL:   ${message}\n`);
  process.exit(255);
}

function badUsage(message: string): never {
  process.stderr.write(`Error for command "exec": ${message}\n`);
  process.exit(1);
}

/** Options end where the image begins. */
function parsed([command, ...words]: readonly string[]) {
  if (command !== 'exec') badUsage(`this program has only exec, not ${command}`);
  const options = new Set<string>();
  const binds: string[] = [];
  let at = 0;
  for (; words[at]?.startsWith('-'); at++) {
    const word = words[at] ?? '';
    const option = SWITCHES.get(word);
    if (option) options.add(option);
    else if (BIND.includes(word)) binds.push(words[++at] ?? badUsage(`${word} needs an argument`));
    else badUsage(`unknown flag: ${word}`);
  }
  const [image, ...argv] = words.slice(at);
  if (image === undefined || argv.length === 0) badUsage('requires at least 2 arg(s)');
  return { options, binds, image, argv };
}

/** `src[:dest[:opts]]`, several separated by commas. */
function mountsOf(binds: readonly string[]) {
  return binds
    .flatMap((one) => one.split(','))
    .map((spec) => {
      const [source = '', target = source, option = 'rw', ...more] = spec.split(':');
      if (more.length > 0 || !['ro', 'rw'].includes(option)) fail(`bad bind path: ${spec}`);
      if (!existsSync(source)) fail(`mount source ${source} doesn't exist`);
      return { source, target, option };
    });
}

/** A switch can be set by a variable as well: `APPTAINER_NO_EVAL`. */
function isOn(options: ReadonlySet<string>, name: string): boolean {
  const value = process.env[`APPTAINER_${name.toUpperCase().replaceAll('-', '_')}`];
  return options.has(name) || value === '1' || value === 'true';
}

function environmentOf(options: ReadonlySet<string>): Record<string, string> {
  const isClean = isOn(options, 'cleanenv') || isOn(options, 'containall');
  const all = Object.entries(process.env).map(([name, value = '']) => [name, value] as const);
  const base = all.filter(([name]) =>
    isClean ? KEPT.includes(name) : !name.startsWith(PREFIX) && name !== 'PATH',
  );
  const env: Record<string, string> = { ...Object.fromEntries(base), PATH: DEFAULT_PATH };
  for (const [name, value] of all.filter(([each]) => each.startsWith(PREFIX))) {
    env[name.slice(PREFIX.length)] = isOn(options, 'no-eval') ? value : evaluated(value, env);
  }
  return env;
}

/** A shell in the container evaluates the values, unless the caller has forbidden it. */
function evaluated(value: string, env: Readonly<Record<string, string>>): string {
  const script = `printf '%s' "${value.replaceAll('"', '\\"')}"`;
  return execFileSync('/bin/sh', ['-c', script], { env, encoding: 'utf8' });
}

/** For the registry: both variables, or none count. */
function loginOf(env: NodeJS.ProcessEnv) {
  const { APPTAINER_DOCKER_USERNAME: user, APPTAINER_DOCKER_PASSWORD: password } = env;
  return user && password ? { user, password } : null;
}

const { options, binds, image, argv } = parsed(process.argv.slice(2));
if (!SOURCES.test(image) && !existsSync(image)) fail(`could not open image ${image}`);
process.stdout.write(
  `${JSON.stringify({
    ...{ image, argv, options: [...options].sort(), mounts: mountsOf(binds) },
    ...{ env: environmentOf(options), login: loginOf(process.env) },
  })}\n`,
);
