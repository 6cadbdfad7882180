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

export const BackendType = choice(BACKEND_TYPES, 'enum', 'BackendType');
export type BackendType = z.infer<typeof BackendType>;
