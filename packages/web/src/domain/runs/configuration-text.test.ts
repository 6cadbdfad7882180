import { parseConfiguration } from '@dstack/contract';
import { expect, it } from 'vitest';
import { configurationText } from './configuration-text.ts';

const YAML = `type: service
name: chat
image: vllm/vllm-openai
port: 8000
env:
  MODEL: llama
  HF_TOKEN: \${{ secrets.HF_TOKEN }}
commands:
  - vllm serve $MODEL
auth: false
resources:
  cpu: 8..
  memory: 32GB..64GB
  gpu: H100:80GB:2
`;

function parsed(yaml: string) {
  const answer = parseConfiguration(yaml, 'configuration');
  if (!answer.ok) throw new Error('not valid');
  return answer.value as Parameters<typeof configurationText>[0];
}

it('is short, in the usual order', () => {
  expect(configurationText(parsed(YAML))).toMatch(
    /^type: service\nname: chat\nimage: vllm.vllm-openai\nport: 8000\n/,
  );
  expect(configurationText(parsed(YAML))).toContain('  cpu: 8..\n  memory: 32GB..64GB\n');
  expect(configurationText(parsed(YAML))).not.toMatch(/privileged|: \[\]|: \{\}|null/);
});

it.each([
  YAML,
  'type: task\nname: t\ncommands: [a, b]\nresources: {gpu: 0}\n',
  'type: dev-environment\nide: vscode\nresources: {gpu: 1..4, shm_size: 8GB, disk: 200GB}\n',
  'type: task\nname: n\nnodes: 2\ncommands: ["a: b", "x\\ny"]\nmax_price: 1.5\nspot_policy: auto\n',
])('means the same as what was submitted', (yaml) => {
  const configuration = parsed(yaml);
  expect(parsed(configurationText(configuration))).toEqual(configuration);
});
