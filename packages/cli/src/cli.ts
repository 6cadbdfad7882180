import { nearest } from '@dstack/contract/nearest';
import { expandPrefixes, type GlobalOptions, splitGlobalOptions } from './arguments.ts';
import type { Cli } from './context.ts';
import { CancelledError, EXIT, UsageError } from './errors.ts';
import type { OnInterrupt } from './interrupts.ts';
import {
  COMMANDS,
  type CommandEntry,
  commandOverview,
  EXIT_CODE_HELP,
  GLOBAL_HELP,
} from './program.ts';
import { reportFailure } from './report.ts';
import { createIo, type Source } from './terminal/io.ts';
import { Prompter } from './terminal/prompt.ts';
import type { Sink } from './terminal/sink.ts';
import { productVersion } from './version.ts';

/** The parts of its process that the command line uses. */
export interface Runtime {
  readonly out: Sink;
  readonly err: Sink;
  readonly input: Source;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly onInterrupt: OnInterrupt;
}

/** Runs one command line and returns its exit code. Never throws. */
export async function runCli(argv: readonly string[], runtime: Runtime): Promise<number> {
  let globals: GlobalOptions = { project: undefined, debug: false, color: 'auto' };
  let io = createIo(runtime, runtime.env, globals.color);
  try {
    if (argv[0] === '__complete') {
      const { complete } = await import('./commands/completion/complete.ts');
      const words = argv.slice(1);
      await complete(words, await contextFor(words, globals, io, runtime, () => {}));
      return EXIT.done;
    }
    const split = splitGlobalOptions(argv);
    globals = split.options;
    io = createIo(runtime, runtime.env, globals.color);
    const [first, ...words] = split.rest;
    if (first === undefined || first === '-h' || first === '--help' || first === 'help') {
      if (first !== 'help' || words.length === 0) {
        io.print(commandOverview());
        return EXIT.done;
      }
      return await runCommand(words[0] ?? '', ['--help'], globals, io, runtime);
    }
    if (first === '-v' || first === '--version') {
      io.print(await productVersion());
      return EXIT.done;
    }
    return await runCommand(first, words, globals, io, runtime);
  } catch (error) {
    return reportFailure(error, io, globals.debug);
  }
}

async function runCommand(
  name: string,
  words: readonly string[],
  globals: GlobalOptions,
  io: Cli['io'],
  runtime: Runtime,
): Promise<number> {
  const entry = findCommand(name);
  const [{ Command, CommanderError }, declare] = await Promise.all([
    import('commander'),
    entry.load(),
  ]);
  let exitCode: number = EXIT.done;
  const cli = await contextFor(words, globals, io, runtime, (code) => {
    exitCode = code;
  });
  const program = new Command('dstack')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.print(text),
      writeErr: (text) => io.put(text),
      getOutHelpWidth: () => io.width ?? 80,
      getOutHasColors: () => io.width !== null,
    })
    .showSuggestionAfterError(true);
  declare(program, cli);
  configure(program, program.name());
  refuseUnknownPart(program, words);
  program.hook('preAction', (_program, called) => refuseOptionsOfParents(called));
  const line = [entry.name, ...expandPrefixes(words, longOptions(program))];
  try {
    await interruptible(program.parseAsync(line, { from: 'user' }), runtime.signal);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    throw error;
  } finally {
    cli.prompt.close();
  }
}

async function contextFor(
  words: readonly string[],
  globals: GlobalOptions,
  io: Cli['io'],
  runtime: Runtime,
  setExitCode: Cli['setExitCode'],
): Promise<Cli> {
  const { connect, connectToServer } = await import('./context.ts');
  const { AnsweredClock } = await import('./answered-clock.ts');
  const { env, home, cwd, signal, onInterrupt } = runtime;
  const clock = new AnsweredClock(runtime.now);
  const projectOption = globals.project;
  const log = globals.debug ? (line: string) => io.info(io.paintErr('dim', line)) : null;
  const input = { projectOption, env, home, log, clock };
  return {
    io,
    prompt: new Prompter(io),
    env,
    cwd,
    home,
    now: clock.now,
    askNow: async () => {
      if (!clock.isKnown) {
        const { client } = await connectToServer(input);
        // Whatever is wrong there, the command itself reports it.
        await client.server.info().catch(() => undefined);
      }
      return clock.now();
    },
    ownNow: runtime.now,
    signal,
    onInterrupt,
    wait,
    args: words,
    projectOption,
    debug: globals.debug,
    connect: () => connect(input),
    connectToServer: () => connectToServer(input),
    setExitCode,
  };
}

/**
 * Makes Ctrl-C end a command that does not watch the signal itself (in a question, while reading a
 * file).
 */
async function interruptible(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const interrupted = new Promise<never>((_, reject) => {
    const stop = (): void => reject(new CancelledError());
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  await Promise.race([work, interrupted]);
}

type ProgramCommand = InstanceType<typeof import('commander').Command>;

function configure(command: ProgramCommand, path: string): void {
  for (const child of command.commands) {
    const name = `${path} ${child.name()}`;
    child.addHelpText('after', `${GLOBAL_HELP}\n${EXIT_CODE_HELP}`);
    child.showHelpAfterError(`  next: ${name} --help`);
    configure(child, name);
  }
}

function longOptions(command: ProgramCommand): string[] {
  const own = command.options.flatMap((option) => (option.long ? [option.long] : []));
  return ['--help', ...new Set([...own, ...command.commands.flatMap(longOptions)])];
}

/** `dstack fleet lst`: the parser would only report the number of arguments. */
function refuseUnknownPart(program: ProgramCommand, [word]: readonly string[]): void {
  const command = program.commands[0];
  if (!command || command.commands.length === 0 || command.registeredArguments.length > 0) return;
  const parts = command.commands.flatMap((part) => [part.name(), ...part.aliases()]);
  if (word === undefined || word.startsWith('-') || ['help', ...parts].includes(word)) return;
  const near = nearest(word, parts);
  throw new UsageError(`Unknown command ${command.name()} ${word}`, {
    why: `known: ${parts.join(', ')}`,
    next: `dstack ${command.name()} ${near ?? '--help'}`,
  });
}

/** The parser accepts `dstack user add NAME -o json`, since `dstack user` alone has that option. */
function refuseOptionsOfParents(called: ProgramCommand): void {
  const own = new Set(called.options.map((option) => option.attributeName()));
  for (let command = called.parent; command?.parent; command = command.parent) {
    const given = command.options.find((option) => {
      const name = option.attributeName();
      return command.getOptionValueSource(name) === 'cli' && !own.has(name);
    });
    if (given) {
      const path = pathOf(called);
      throw new UsageError(`${path} has no option ${given.long}`, { next: `${path} --help` });
    }
  }
}

const pathOf = (command: ProgramCommand): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();

function findCommand(name: string): CommandEntry {
  const entry = COMMANDS.find((c) => c.name === name || c.alias === name);
  if (entry !== undefined) return entry;
  if (name.startsWith('-')) {
    throw new UsageError(`Unknown option ${name}`, { next: 'dstack --help' });
  }
  const near = nearest(
    name,
    COMMANDS.flatMap((c) => (c.alias ? [c.name, c.alias] : [c.name])),
  );
  // A suggestion is a question: the nearest command may be one that ends or deletes something.
  throw new UsageError(`Unknown command ${name}`, {
    next: near === undefined ? 'dstack --help' : `did you mean dstack ${near}? (dstack --help)`,
  });
}

function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
