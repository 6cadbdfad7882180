import { describe, expect, it } from 'vitest';
import { creationFailure } from './creation-failure.ts';
import { hostFaultOf } from './host-caused.ts';

const engine = (statusCode: number, message: string) =>
  Object.assign(new Error(`(HTTP code ${statusCode}) server error - ${message}`), {
    statusCode,
    json: { message },
  });

const HOOK =
  'failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error running hook #0: error running hook: exit status 1, stdout: , stderr: ';
const PRESTART =
  'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error running prestart hook #0: exit status 1, stdout: , stderr: ';
const OLD_HOOK =
  'failed to create shim: OCI runtime create failed: container_linux.go:380: starting container process caused: process_linux.go:545: container init caused: Running hook #0:: error running hook: exit status 1, stdout: , stderr: ';
const PROCESS =
  'OCI runtime create failed: runc create failed: unable to start container process: ';
const TASK = `failed to create task for container: failed to create shim task: ${PROCESS}`;
const NO_LOG =
  'unable to retrieve OCI runtime error (open /run/containerd/io.containerd.runtime.v2.task/moby/9f1/log.json: no such file or directory): ';
const ENDPOINT =
  'driver failed programming external connectivity on endpoint dstack-9f1 (13d3c0c9876a4f8afffec09c67b34540b6d20431c18d895f85371b403cc7d1b1): ';

/** The words of Docker 20 to 28, with the status that they come with. */
describe('below the daemon, a fault of the host is', () => {
  it.each([
    [
      'containerd that does not run',
      500,
      'connection error: desc = "transport: Error while dialing dial unix /run/containerd/containerd.sock: connect: connection refused": unavailable',
    ],
    [
      'containerd that does not run (newer)',
      500,
      'failed to create task for container: connection error: desc = "transport: Error while dialing: dial unix:///run/containerd/containerd.sock: timeout": unavailable',
    ],
    [
      'containerd that does not run (as a call)',
      500,
      'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: no such file or directory"',
    ],
    [
      'containerd that ends meanwhile',
      500,
      'failed to create task for container: error reading from server: EOF: unavailable',
    ],
    ['containerd that ends meanwhile (older)', 500, 'transport is closing: unavailable'],
    [
      'a shim that does not start',
      500,
      'failed to start shim: start failed: : exit status 1: unknown',
    ],
    [
      'a shim that may not be executed',
      400,
      'failed to start shim: start failed: : fork/exec /usr/bin/containerd-shim-runc-v2: permission denied: unknown',
    ],
    [
      'a shim that is missing',
      500,
      'failed to create task for container: failed to start shim: failed to resolve runtime path: runtime "io.containerd.runc.v2" binary not installed "containerd-shim-runc-v2": file does not exist: unknown',
    ],
    [
      'a shim that ends meanwhile',
      500,
      'failed to create task for container: failed to create shim task: ttrpc: closed: unknown',
    ],
    ['a shim that hangs', 500, 'failed to create shim task: context deadline exceeded: unknown'],
    [
      'a missing runc',
      400,
      `failed to create shim task: OCI runtime create failed: ${NO_LOG}exec: "runc": executable file not found in $PATH: unknown`,
    ],
    [
      'a runc that crashes',
      500,
      `failed to create task for container: failed to create shim task: OCI runtime create failed: ${NO_LOG}runc did not terminate successfully: exit status 134: unknown`,
    ],
    [
      'a daemon that was replaced below its containers',
      500,
      'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error running prestart hook #0: fork/exec /proc/1442/exe: no such file or directory: unknown',
    ],
    ['no control groups', 500, 'cgroups: cgroup mountpoint does not exist: unknown'],
    [
      'systemd that does not answer',
      500,
      `${TASK}unable to apply cgroup configuration: unable to start unit "docker-9f1.scope" (properties [{Name:Description Value:"libcontainer container 9f1"}]): Message recipient disconnected from message bus without replying: unknown`,
    ],
  ])('%s', (_, status, message) => {
    expect(hostFaultOf(engine(status, message))).toBe('runtime');
    expect(creationFailure('startContainer', engine(status, message)).hostFault).toBe('runtime');
  });

  it.each([
    [
      'a removed bridge',
      500,
      'failed to create endpoint dstack-9f1 on network bridge: adding interface vethbc6230d to bridge docker0 failed: could not find bridge docker0: route ip+net: no such network interface',
    ],
    [
      'a removed bridge (newer)',
      500,
      'failed to set up container networking: failed to create endpoint dstack-9f1 on network bridge: adding interface veth1 to bridge docker0 failed: could not find bridge docker0: no such network interface',
    ],
    [
      'a kernel without veth, after an upgrade without a restart',
      500,
      'failed to create endpoint dstack-9f1 on network bridge: failed to add the host (veth1) <=> sandbox (veth2) pair interfaces: operation not supported',
    ],
    [
      'a removed chain of iptables',
      500,
      `${ENDPOINT} (iptables failed: iptables --wait -t nat -A DOCKER -p tcp -d 0/0 --dport 8098 -j DNAT --to-destination 172.17.0.3:80 ! -i docker0: iptables: No chain/target/match by that name.\n (exit status 1))`,
    ],
    [
      'a removed chain of iptables (newer)',
      500,
      `failed to set up container networking: ${ENDPOINT}Unable to enable DIRECT ACCESS FILTERING - DROP rule:  (iptables failed: iptables --wait -t raw -A PREROUTING -d 172.17.0.2 ! -i docker0 -j DROP: iptables v1.8.9 (legacy): can't initialize iptables table \`raw': Table does not exist)`,
    ],
    [
      'a network without addresses',
      500,
      "failed to set up container networking: no available IPv4 addresses on this network's address pools: bridge (0f1)",
    ],
    ['a daemon without its bridge', 404, 'network bridge not found'],
    [
      'an address that the host uses otherwise',
      500,
      `${HOOK}time="2026-01-01T00:00:00Z" level=fatal msg="failed to add interface veth1 to sandbox: error setting interface \\"veth1\\" IP to 172.17.0.2/16: cannot program address 172.17.0.2/16 in sandbox interface because it conflicts with existing route": unknown`,
    ],
  ])('%s', (_, status, message) => {
    expect(hostFaultOf(engine(status, message))).toBe('network');
  });

  it.each([
    [
      'no NVIDIA toolkit',
      500,
      'could not select device driver "nvidia" with capabilities: [[gpu]]',
    ],
    [
      'no NVIDIA toolkit (newer)',
      400,
      'could not select device driver "" with capabilities: [[gpu]]',
    ],
    ["no runtime of Habana's", 400, 'Unknown runtime specified habana'],
    ["no runtime of Habana's (newer)", 400, 'unknown or invalid runtime name: habana'],
    [
      'a device that is missing',
      500,
      'error gathering device information while adding custom device "/dev/kfd": no such file or directory',
    ],
    [
      'a driver that is missing',
      500,
      `${PRESTART}Auto-detected mode as 'legacy'\nnvidia-container-cli: initialization error: load library failed: libnvidia-ml.so.1: cannot open shared object file: no such file or directory: unknown`,
    ],
    [
      'a driver that was replaced without a restart',
      500,
      `${HOOK}nvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown`,
    ],
    [
      'a driver that is not loaded (older)',
      500,
      `${OLD_HOOK}nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown`,
    ],
    [
      'a GPU that is missing',
      500,
      `${PRESTART}Auto-detected mode as 'legacy'\nnvidia-container-cli: device error: GPU-8f1: unknown device: unknown`,
    ],
    [
      'GPUs that the driver cannot detect',
      500,
      `${HOOK}nvidia-container-cli: detection error: nvml error: unknown error: unknown`,
    ],
    [
      'control groups that refuse devices',
      500,
      `${HOOK}Auto-detected mode as 'legacy'\nnvidia-container-cli: mount error: failed to add device rules: unable to find any existing device filters attached to the cgroup: bpf_prog_query(BPF_CGROUP_DEVICE) failed: operation not permitted: unknown`,
    ],
    [
      "NVIDIA's hook that is missing",
      500,
      'failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error running hook #0: fork/exec /usr/bin/nvidia-container-runtime-hook: no such file or directory: unknown',
    ],
    [
      'a device that no CDI file describes',
      500,
      'failed to create task for container: failed to create shim task: OCI runtime create failed: could not apply required modification to OCI specification: error modifying OCI spec: failed to inject CDI devices: unresolvable CDI devices nvidia.com/gpu=0: unknown',
    ],
    [
      'a device that no CDI file describes (by the daemon)',
      500,
      'CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=0',
    ],
  ])('%s', (_, status, message) => {
    expect(hostFaultOf(engine(status, message))).toBe('devices');
  });

  it('a lack of space or processes, whatever part of Docker meets it', () => {
    const shim = (why: string) => hostFaultOf(engine(500, `failed to start shim: ${why}: unknown`));
    expect(shim('mkdir /run/containerd/x: no space left on device')).toBe('no_space');
    expect(shim('fork/exec /usr/bin/shim: resource temporarily unavailable')).toBe('no_resources');
  });
});

describe('the mistake of a run stays its own:', () => {
  it.each([
    ['a missing program', 400, `${TASK}exec: "nope": executable file not found in $PATH: unknown`],
    ['a missing path', 400, `${TASK}exec: "/nope": stat /nope: no such file or directory: unknown`],
    ['a program named runc', 400, `${TASK}exec: "runc": executable file not found in $PATH`],
    ['a file that is not a program', 400, `${TASK}exec: "/etc/passwd": permission denied: unknown`],
    ['an entrypoint of another machine', 500, `${TASK}exec /app: exec format error: unknown`],
    [
      'a missing program (older)',
      400,
      'OCI runtime create failed: container_linux.go:380: starting container process caused: exec: "nope": executable file not found in $PATH: unknown',
    ],
    ['a working directory that is a file', 500, 'Cannot mkdir: /etc/passwd is not a directory'],
    [
      'a working directory that the user may not enter',
      500,
      `${TASK}error during container init: chdir to cwd ("/root") set in config.json failed: permission denied: unknown`,
    ],
    ['an unknown user', 500, 'unable to find user absent: no matching entries in passwd file'],
    [
      'a mount over a file',
      400,
      `${TASK}error during container init: error mounting "/data" to rootfs at "/etc/passwd": mount /data:/etc/passwd (via /proc/self/fd/6), flags: 0x5000: not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?`,
    ],
    [
      'too little memory',
      500,
      `${TASK}container init was OOM-killed (memory limit too low?): unknown`,
    ],
    [
      'a port that is taken',
      500,
      `failed to set up container networking: ${ENDPOINT}Bind for 0.0.0.0:8080 failed: port is already allocated`,
    ],
    ['an unknown network', 404, 'network absent not found'],
    [
      'an image for a newer driver',
      500,
      `${HOOK}nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.6, please update your driver to a newer version, or use an earlier cuda container: unknown`,
    ],
    [
      'an image for a newer driver (newer)',
      500,
      'failed to create task for container: failed to create shim task: OCI runtime create failed: could not apply required modification to OCI specification: requirements not met: unsatisfied condition: cuda>=12.6 (cuda=11.8): unknown',
    ],
    [
      "an image with files of the driver's",
      500,
      `${HOOK}nvidia-container-cli: mount error: file creation failed: /var/lib/docker/overlay2/1/merged/usr/lib/libnvidia-ml.so.1: file exists: unknown`,
    ],
    ['an unknown option', 400, 'invalid CPU count'],
    ['a registry without an answer', 500, 'Get "https://r.example/v2/": context deadline exceeded'],
  ])('%s', (_, status, message) => {
    expect(hostFaultOf(engine(status, message))).toBeNull();
  });

  // Otherwise a user could make the hosts of all users cool down.
  it.each([
    'could not select device driver',
    'no space left on device',
    'failed to start shim: x',
    'connection error: desc = "transport: x"',
    'nvidia-container-cli: initialization error: x',
  ])('%s as a name that it chose', (words) => {
    const quoted = JSON.stringify(words);
    for (const message of [
      `${TASK}exec: ${quoted}: executable file not found in $PATH: unknown`,
      `unable to find user ${words}: no matching entries in passwd file`,
      `Cannot mkdir: /${words} is not a directory`,
      `${TASK}error during container init: error mounting "/x" to rootfs at ${quoted}: not a directory`,
    ]) {
      expect(hostFaultOf(engine(500, message))).toBeNull();
    }
  });
});
