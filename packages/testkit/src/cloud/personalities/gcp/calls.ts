/** Parts that all calls of Compute Engine share. */
import type { CloudCall } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';
import type { Vm } from '../../vm.ts';
import { PROJECT } from './catalog.ts';
import { gcpFactsOf } from './facts.ts';
import { operationForm } from './forms.ts';

export const BASE = '/compute/v1/projects/{project}';
export const IN_ZONE = `${BASE}/zones/{zone}`;

/** From acceptance to the end of an operation, unless it depends on something else. */
const OPERATION_S = 1;

export const ok = (body: object): CloudAnswer => ({ status: 200, body });

export function requireProject({ params }: CloudCall): void {
  if (params.project === PROJECT) return;
  throw new Refusal('not_found', `The resource 'projects/${params.project}' was not found`);
}

export function requireInstance({ account, params }: CloudCall): Vm {
  const isIt = (vm: Vm) => vm.region === params.zone && vm.name === params.name;
  const vm = account.vms.visible().find(isIt);
  if (vm) return vm;
  const path = `projects/${PROJECT}/zones/${params.zone}/instances/${params.name}`;
  throw new Refusal('not_found', `The resource '${path}' was not found`);
}

export interface OperationOptions {
  readonly seconds?: number | null;
  /** The code with which it fails; null or omitted = it does not. */
  readonly problem?: string | null;
  /** By which a repetition of the call gets the same operation. */
  readonly requestId?: string;
}

/** `target`: its region is a zone, or another word for an operation of the whole project. */
export function begun(
  { account, url }: CloudCall,
  kind: string,
  target: { readonly id: string; readonly region: string },
  { seconds, problem = null, requestId }: OperationOptions = {},
): CloudAnswer {
  const operation = account.operations.begin(kind, target, seconds ?? OPERATION_S, problem);
  if (requestId !== undefined) gcpFactsOf(account).requests.set(requestId, operation.id);
  return ok(operationForm(operation, url));
}
