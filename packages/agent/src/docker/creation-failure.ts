import { JobFailure } from '../executor/job-failure.ts';
import { engineErrorMessage } from './engine-error.ts';
import { hostFaultOf, pullFaultOf } from './host-caused.ts';

/**
 * Names the step, as dstack 0.22.5 does (`pullImage error: …`), and its object, which the Engine's
 * message may omit.
 */
export function creationFailure(attempt: string, error: unknown, subject?: string): JobFailure {
  if (error instanceof JobFailure) return error;
  const message = engineErrorMessage(error);
  const isNamed = subject === undefined || message.includes(subject);
  const named = isNamed ? message : `${subject}: ${message}`;
  const text = `${attempt} error: ${named}${adviceFor(message)}`;
  const hostFault = attempt === 'pullImage' ? pullFaultOf(error) : hostFaultOf(error);
  return new JobFailure('creating_container_error', text, { cause: error, hostFault });
}

/** Names the part that the host lacks where the Engine's message does not. */
function adviceFor(message: string): string {
  if (message.includes('could not select device driver')) {
    return ' (is the NVIDIA Container Toolkit installed on this host, and Docker restarted since?)';
  }
  if (/runtime (?:name:|specified) habana/.test(message)) {
    return " (is Habana's container runtime installed on this host?)";
  }
  return '';
}
