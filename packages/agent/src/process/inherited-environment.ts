import { isExportedFunction, proxyEnvironment } from '../executor/job-environment.ts';

/** Variables of the agent's own environment that a job may see. */
const INHERITED =
  /^(PATH|LANG|LANGUAGE|LC_.*|TZ|LD_LIBRARY_PATH|CUDA_.*|NVIDIA_.*|ROCM?_.*|HABANA_.*)$/;

/** Keys for the vendors' own services begin like settings of their devices. */
const SECRET = /KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL/i;

/** What a process job takes over from the machine: where programs and devices are, and its proxies. */
export function inheritedEnvironment(own: NodeJS.ProcessEnv): Record<string, string> {
  const entries = Object.entries(own).flatMap(([name, value]) =>
    value !== undefined && isInherited(name) ? [[name, value]] : [],
  );
  return { ...Object.fromEntries(entries), ...proxyEnvironment(own) };
}

function isInherited(name: string): boolean {
  return INHERITED.test(name) && !SECRET.test(name) && !isExportedFunction(name);
}
