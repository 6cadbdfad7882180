import type * as z from 'zod';
import { choice } from './schema-kit.ts';

/** Kinds of backends on the wire. `remote` = SSH fleets; `datacrunch` = old name of `verda`. */
export const BACKEND_TYPES = [
  'amddevcloud',
  'aws',
  'azure',
  'cloudrift',
  'crusoe',
  'cudo',
  'datacrunch',
  'daytona',
  'digitalocean',
  'dstack',
  'gcp',
  'hotaisle',
  'jarvislabs',
  'kubernetes',
  'lambda',
  'lium',
  'remote',
  'nebius',
  'oci',
  'runpod',
  'seeweb',
  'tensordock',
  'vastai',
  'verda',
  'vultr',
  'slurm',
] as const;

/** Names of machines in tables and documents that the wire does not have. */
const MEANT = new Map([
  [
    'local',
    {
      value: 'remote' as const,
      why: "the server's machine needs no `backends`; to name it, write remote",
    },
  ],
  [
    'ssh',
    { value: 'remote' as const, why: 'SSH hosts need no `backends`; to name them, write remote' },
  ],
]);

export const BackendType = choice(BACKEND_TYPES, 'enum', 'BackendType', MEANT);
export type BackendType = z.infer<typeof BackendType>;
