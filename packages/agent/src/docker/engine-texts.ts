/**
 * The errors of Docker 20 to 28 that show whose fault they are: that of the host's part below the daemon
 * (containerd, runc, the network, drivers), or the job's.
 *
 * Only the beginning of an error counts, after the names of the steps that led to it. What follows may
 * contain words of the job, by which a user could let every host cool down.
 */
import type { HostFault } from '@dstack/contract/agent';

/** A step of the engine, which it puts before the error of the next one. In lower case, as below. */
const STEP =
  /^(?:failed to create task for container|failed to set up container networking|failed to create shim(?: task)?|oci runtime create failed|runc create failed|unable to start container process|error during container init|(?:container|process)_linux\.go:\d+|starting container process caused|container init caused|rpc error: code = unavailable desc =):? /;

const HOOK = String.raw`(?:error )?running (?:\w+ )?hook #\d+::? (?:error running hook: )?`;
const FAILED_HOOK = String.raw`${HOOK}exit status \d+, stdout: , stderr: `;
const NVIDIA = String.raw`${FAILED_HOOK}(?:auto-detected mode as '\w+'\n)?nvidia-container-cli: `;

/** The first line that matches the beginning counts; null = the job's. */
const TEXTS: readonly (readonly [beginning: RegExp, fault: HostFault | null])[] = [
  [/^exec:? /, null],
  [/^unable to find user /, null],
  [/^cannot mkdir: /, null],
  [/^chdir to cwd /, null],
  [/^could not apply required modification to oci specification: requirements not met/, null],
  [/^driver failed programming external connectivity on endpoint \S+ \(\w+\): bind for /, null],

  [/^connection error: desc = "transport: /, 'runtime'],
  [/^(?:transport is closing|error reading from server: )/, 'runtime'],
  [/^(?:failed to start shim: |ttrpc: closed|failed to create ttrpc connection: )/, 'runtime'],
  [/^context deadline exceeded: unknown/, 'runtime'],
  [/^unable to retrieve oci runtime error \(open /, 'runtime'],
  [/^cgroups: cgroup mountpoint does not exist/, 'runtime'],
  [/^unable to apply cgroup configuration: unable to start unit "/, 'runtime'],
  // The daemon's own program, for its network; it was replaced by an upgrade.
  [new RegExp(`^${HOOK}fork/exec /proc/`), 'runtime'],

  [/^failed to create endpoint \S+ on network \S+: /, 'network'],
  [/^driver failed programming external connectivity on endpoint /, 'network'],
  [/^no available ipv[46] addresses on this network's address pools/, 'network'],
  [/^network bridge not found/, 'network'],
  [new RegExp(`^${FAILED_HOOK}time="[^"]*" level=fatal msg="`), 'network'],

  [/^could not select device driver /, 'devices'],
  [/^(?:unknown runtime specified |unknown or invalid runtime name: )/, 'devices'],
  [/^error gathering device information while adding custom device /, 'devices'],
  [/^could not apply required modification to oci specification: /, 'devices'],
  [/^cdi device injection failed: /, 'devices'],
  [new RegExp(`^${HOOK}fork/exec `), 'devices'],
  [new RegExp(`^${NVIDIA}(?:initialization|detection|device|container) error: `), 'devices'],
  // Its other errors are about files of the image, and about the driver that the image requires.
  [new RegExp(`^${NVIDIA}mount error: failed to add device rules`), 'devices'],
];

/** Whose fault this error of the engine is: `undefined` if its text is none of these. */
export function faultByText(message: string): HostFault | null | undefined {
  const error = withoutSteps(message.toLowerCase());
  return TEXTS.find(([beginning]) => beginning.test(error))?.[1];
}

function withoutSteps(message: string): string {
  let rest = message;
  for (let step = STEP.exec(rest); step; step = STEP.exec(rest)) rest = rest.slice(step[0].length);
  return rest;
}
