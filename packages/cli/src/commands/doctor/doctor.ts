import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { EXIT } from '../../errors.ts';
import type { Style } from '../../terminal/style.ts';
import { hangingText } from '../../terminal/text-width.ts';
import type { DoctorCheck } from './doctor-check.ts';

export interface DoctorOptions {
  readonly json: boolean;
}

export function declareDoctor(program: Command, cli: Cli, run: typeof runDoctor = runDoctor): void {
  program
    .command('doctor')
    .description(
      'Check this computer, the server and your rights, and say how to mend what is wrong',
    )
    .option('--json', 'print JSON')
    .action((o) => run({ json: o.json ?? false }, cli));
}

/** Columns of the name of a check: the longest is `retention`. */
const NAME = 9;

/** Columns before the text of a check. */
const START = NAME + 4;

const MARKS: Readonly<Record<DoctorCheck['state'], readonly [string, Style]>> = {
  ok: ['✓', 'success'],
  warning: ['!', 'warning'],
  failed: ['✗', 'error'],
};

/** Exit code 1 if a check has failed; warnings do not count. */
export async function runDoctor({ json }: DoctorOptions, cli: Cli): Promise<void> {
  const { io } = cli;
  const { localChecks } = await import('./local-checks.ts');
  const { serverChecks } = await import('./server-checks.ts');
  const checks: DoctorCheck[] = [];
  const report = (check: DoctorCheck): void => {
    checks.push(check);
    if (json) return;
    const [mark, style] = MARKS[check.state];
    const start = `${io.paint(style, mark)} ${check.name.padEnd(NAME)}  `;
    io.print(start + hangingText(check.text, START, io.width));
    if (check.fix === null) return;
    const next = `${io.paint('secondary', 'next:')} ${check.fix}`;
    io.print(`${' '.repeat(START)}${hangingText(next, START, io.width)}`);
  };
  for await (const check of localChecks(cli)) report(check);
  for await (const check of serverChecks(cli)) report(check);
  const failed = checks.filter(({ state }) => state === 'failed').length;
  if (json) io.json({ ok: failed === 0, checks });
  if (failed > 0) cli.setExitCode(EXIT.failed);
}
