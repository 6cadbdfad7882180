import { isExportedFunction, proxyEnvironment } from '../executor/job-environment.ts';

/** Variables of the agent's own environment that a job may see. */
const INHERITED =
  /^(PATH|LANG|LANGUAGE|LC_.*|TZ|LD_LIBRARY_PATH|CUDA_.*|NVIDIA_.*|ROCM?_.*|HABANA_.*)$/;

/** Keys of the vendors' services have the same prefixes as settings of their devices. */
const SECRET = /KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL/i;

/**
 * The variables that a process job inherits from the host: paths of programs, settings of devices,
 * proxies.
 */
export function inheritedEnvironment(own: NodeJS.ProcessEnv): Record<string, string> {
  const entries = Object.entries(own).flatMap(([name, value]) =>
    value !== undefined && isInherited(name) ? [[name, value]] : [],
  );
  return { ...Object.fromEntries(entries), ...proxyEnvironment(own) };
}

function isInherited(name: string): boolean {
  return INHERITED.test(name) && !SECRET.test(name) && !isExportedFunction(name);
}
