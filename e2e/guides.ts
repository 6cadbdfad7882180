/** The exceptions, replacements and files with which a test runs the commands of the guides. */

/** Lines that `guides.test.ts` does not carry out, with the reason. */
export const NOT_RUN: ReadonlyMap<string, string> = new Map([
  ['dstack server', 'the server of the test runs already'],
  ['dstack backend add lambda', 'a provider would have to accept its key; see lambda.test.ts'],
  ['dstack backend add -f backend.yml', 'likewise'],
  ['dstack backend delete lambda', 'it is not there'],
]);

/** Lines whose commands end only when the user interrupts them. */
export const FOLLOWING = /--watch|attach |apply -f notebook/;

/** Lines whose commands end when the program of run `train` ends. */
export const WAITING =
  /apply -f train\.dstack\.yml(?!.*(-d\b|--dry-run))|logs (-f train|train -f)|wait train$/;

/** Lines for which run `train` waits, until run `gate` ends. */
export const QUEUED = /^dstack (priority|hold|release) train/;

/** The line with the addresses and tokens of the test in place of those of the page. */
export function replaced(line: string, url: string, token: string): string {
  return line
    .replace(/https:\/\/dstack\.example\.(com|org)|http:\/\/127\.0\.0\.1:3000/, url)
    .replace('--token TOKEN', `--token ${token}`)
    .replace('[--json]', '--json');
}

/** Files of the user's current folder, by their paths. */
export function fixtures(end: string): Readonly<Record<string, string>> {
  const small = 'resources:\n  gpu: 0\n';
  const train = `type: task
name: train
commands:
  - echo "loss 1"
  - until [ -e ${end} ]; do sleep 0.1; done
${small}`;
  return {
    'fleet.dstack.yml': `type: fleet\nname: default\nnodes: 0..2\n${small}`,
    'lab.dstack.yml': `type: fleet\nname: lab\nnodes: 1\n${small}`,
    'volume.dstack.yml': 'type: volume\nname: data\nbackend: remote\nregion: local\n',
    'hello.dstack.yml': `type: task\nname: hello\ncommands: [echo hello]\n${small}`,
    'test.dstack.yml': `type: task\nname: test\ncommands: [echo tested]\n${small}`,
    'train.dstack.yml': train,
    'waiting.dstack.yml': `${train}depends_on: [{run: gate, on: end}]\n`,
    'gate.dstack.yml': `type: task\nname: gate\ncommands: [sleep 1000]\n${small}`,
    'notebook.dstack.yml': `type: dev-environment\nname: notebook\nide: vscode\n${small}`,
  };
}
