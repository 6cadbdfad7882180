import { expect, it } from 'vitest';
import { agentJobSpec } from './agent-job-spec.ts';

const COMMANDS = ['echo $${{ groups[0].nodes[0].IP_ADDRESS }}', 'echo $$'];

function specOf(hold: boolean) {
  const requirements = { resources: {} };
  const spec = { commands: COMMANDS, env: {}, file_archives: [], requirements, image_name: 'x' };
  const input = {
    run: { id: 'r', name: 'run', spec: { configuration: { type: 'task' } } },
    job: { id: 'j', name: 'run-0-0', spec, runtimeData: null },
    instance: { offer: null },
    ...{ projectName: 'main', projectPublicKey: 'k', nodeKey: null, secrets: {}, repoCreds: null },
    ...{ archiveHashes: {}, fleetEnv: {}, shellCommands: COMMANDS, defaultRegistry: null },
    ...{
      serverUrl: 'http://127.0.0.1:3000',
      hold,
      cluster: null,
      userKeys: [],
      token: null,
      volumes: [],
    },
  };
  return agentJobSpec(input as never);
}

it('takes the escape off commands that mention no address, which are run as they are sent', () => {
  const run = ['echo ${{ groups[0].nodes[0].IP_ADDRESS }}', 'echo $$'];
  expect(specOf(false)).toMatchObject({ commands: run, shell_commands: run });
});

it('leaves it to the start of a job that is held, where addresses are filled in', () => {
  expect(specOf(true)).toMatchObject({ commands: COMMANDS, shell_commands: COMMANDS });
});
