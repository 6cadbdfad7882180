import { parseConfiguration } from '@dstack/contract';
import { expect, it } from 'vitest';
import { toYaml } from '../format/yaml.ts';
import { cloudFleetConfiguration, sshFleetConfiguration } from './fleet-form.ts';

const CLOUD = {
  name: 'gpus',
  min: '0',
  max: '4',
  gpu: 'H100:8',
  backends: 'aws, gcp',
  spotPolicy: 'auto',
  idleDuration: '1h',
  maxPrice: '2.5',
} as const;

it('writes what the language accepts', () => {
  const ssh = {
    name: 'lab',
    hosts: '10.0.0.1\n 10.0.0.2 ',
    user: 'ubuntu',
    network: '',
    blocks: '2',
  };
  for (const written of [sshFleetConfiguration(ssh), cloudFleetConfiguration(CLOUD)]) {
    expect(parseConfiguration(toYaml(written), 'configuration')).toMatchObject({ ok: true });
  }
  expect(toYaml(sshFleetConfiguration(ssh))).toBe(
    'type: fleet\nname: lab\nssh_config:\n  user: ubuntu\n  hosts:\n    - "10.0.0.1"\n    - "10.0.0.2"\nblocks: 2\n',
  );
});

it('leaves out what was left empty', () => {
  const empty = { ...CLOUD, gpu: '', backends: ' ', max: '', idleDuration: '', maxPrice: '' };
  expect(toYaml(cloudFleetConfiguration(empty))).toBe(
    'type: fleet\nname: gpus\nnodes: 0..\nspot_policy: auto\n',
  );
  expect(cloudFleetConfiguration({ ...empty, min: '2', max: '2' }).nodes).toBe(2);
});
