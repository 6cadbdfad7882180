/** Which errors of the container engine show that the host, not the job, has failed: a closed list. */
import type { HostFault } from '@dstack/contract/agent';
import { JobFailure, systemFault } from '../executor/job-failure.ts';
import { engineErrorMessage, statusOf } from './engine-error.ts';
import { faultByText } from './engine-texts.ts';

/** Codes of a connection to the engine that was refused, or broke before the answer. */
const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'ETIMEDOUT',
  'ECONNABORTED',
]);

/** Texts of any part of the engine that lacks something, in lower case. */
const SCARCITY_TEXTS: readonly (readonly [text: string, fault: HostFault])[] = [
  ['no space left on device', 'no_space'],
  ['disk quota exceeded', 'no_space'],
  ['too many open files', 'no_resources'],
  ['cannot allocate memory', 'no_resources'],
  ['resource temporarily unavailable', 'no_resources'],
];

/** Texts that the engine has for faults of its storage, in lower case. */
const STORAGE_TEXTS = [
  'input/output error',
  'read-only file system',
  'structure needs cleaning',
  'error creating overlay mount',
  'failed to create rwlayer',
  'layer does not exist',
  'devmapper',
];

/** A runtime's refusal of what the job asked for, for example to mount below a read-only volume. */
const RUNTIME_TEXTS = ['oci runtime', 'runc create failed', 'error mounting'];

/**
 * The beginnings of errors of a pull that come from the engine's own disk, in lower case. A registry's
 * text follows its error code (`unknown: …`), a request (`get "…": …`) or an HTTP status.
 */
const OWN_PULL_TEXT =
  /^(?:failed to (?:register layer|extract layer|prepare extraction snapshot)|error creating overlay mount|failed to create rwlayer|layer does not exist|devmapper|(?:failed to copy: (?:failed to send write: )?)?[a-z0-9]+ \/\S*: |(?:get|head) "[^"]*": dial tcp[: ])/;

/** The engine did not answer a request in time. */
export class EngineHung extends Error {
  constructor(attempt: string, seconds: number) {
    super(
      `the Docker daemon has not answered for ${seconds} seconds (${attempt}): see \`systemctl status docker\` on the host`,
    );
  }
}

export function hostFaultOf(error: unknown): HostFault | null {
  if (error instanceof JobFailure) return error.hostFault;
  if (error instanceof EngineHung) return 'daemon_hung';
  const status = statusOf(error);
  if (status === null && isConnectionError(error)) return 'daemon_unreachable';
  const message = engineErrorMessage(error);
  const known = faultByText(message);
  if (known === null) return null;
  // Other refusals name faults of the request.
  if (known === undefined && status !== null && status < 500) return null;
  const text = withoutQuotes(message.toLowerCase());
  const scarcity = SCARCITY_TEXTS.find(([one]) => text.includes(one));
  if (scarcity) return scarcity[1];
  if (known !== undefined) return known;
  if (RUNTIME_TEXTS.some((one) => text.includes(one))) return null;
  if (STORAGE_TEXTS.some((one) => text.includes(one))) return 'storage';
  return status === null ? systemFault(error) : null;
}

/** As `hostFaultOf`, for a pull: a full disk of the registry is no fault of this host. */
export function pullFaultOf(error: unknown): HostFault | null {
  const fault = hostFaultOf(error);
  const isText = !(error instanceof JobFailure) && systemFault(error) === null;
  const isOfDisk = fault === 'no_space' || fault === 'no_resources' || fault === 'storage';
  if (!isText || !isOfDisk) return fault;
  return OWN_PULL_TEXT.test(engineErrorMessage(error).toLowerCase()) ? fault : null;
}

/** Docker quotes what a job has named: programs, directories, users. */
function withoutQuotes(text: string): string {
  return text.replace(/\\./g, '').replace(/"[^"]*"/g, '""');
}

/** A socket that does not exist is an engine that does not run; another missing file is not. */
function isConnectionError(error: unknown): boolean {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return syscall === 'connect';
  return (code !== undefined && CONNECTION_CODES.has(code)) || message === 'socket hang up';
}
