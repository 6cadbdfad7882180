import type { TestHost } from '@dstack/testkit/hosts';
import { until } from './until.ts';

const SSHD = '/etc/test-host/sshd_config';

let configs = 0;

/** Runs a script over `$file`, the host's sshd_config, and waits until its sshd uses the result. */
export async function changeSshd(host: TestHost, script: string): Promise<void> {
  configs += 1;
  const mark = `sed -i /^SetEnv/d $file; echo SetEnv CONFIG=${configs} >> $file`;
  await host.exec(`file=${SSHD}; ${script}; ${mark}; kill -HUP $(cat /run/sshd.pid)`);
  const seen = () => host.exec('echo $CONFIG').catch(() => '');
  await until(async () => (await seen()).trim() === String(configs));
}

/** A user who logs in with the key of the hosts; `sudoers` has the user's permissions. */
export async function addUser(host: TestHost, name: string, sudoers: string): Promise<void> {
  await host.exec(`set -e
useradd -m -s /bin/bash ${name}; usermod -p '*' ${name}
printf '%s\\n' '${sudoers}' > /etc/sudoers.d/${name}; chmod 440 /etc/sudoers.d/${name}`);
}

/**
 * Logins get a root directory with busybox and nothing else: no C library, no loader, no bash, as
 * on hosts on which Node cannot run by itself. sshd and Docker's daemon stay outside.
 */
export async function makeBare(host: TestHost): Promise<void> {
  await host.exec(`set -e
mkdir -p /bare && cd /bare && mkdir -p bin proc sys dev run tmp etc root var/lib opt
cp "$(command -v busybox)" bin/busybox && chroot /bare /bin/busybox --install -s /bin
echo root:x:0:0::/root:/bin/sh > etc/passwd; echo root:x:0: > etc/group; ln -s ../run var/run
mount -t proc proc proc; mount --rbind /dev dev; mount --rbind /sys sys
mount --bind /run run; mount --bind /root root; mount --bind /var/lib var/lib
printf '%s\\n' '#!/bin/sh' 'exec chroot /bare /bin/sh -c "$SSH_ORIGINAL_COMMAND"' > /etc/test-host/enter
chmod 755 /etc/test-host/enter`);
  await changeSshd(host, 'echo ForceCommand /etc/test-host/enter >> $file');
}

export interface Accelerators {
  /**
   * Below `/dev`, to be created as device nodes (all of them the null device under another name).
   */
  readonly devices: readonly string[];
  /** Symbolic links below `/dev`, and their targets. */
  readonly links?: Readonly<Record<string, string>>;
  /** The vendor's tool, and its output for any arguments. */
  readonly tool?: string;
  readonly prints?: string;
}

/** Runs a command as root. */
type Reached = Pick<TestHost, 'exec'>;

/** Gives a host devices and a tool that it does not have, in a private `/dev`. */
export async function giveAccelerators(host: Reached, given: Accelerators): Promise<void> {
  const { devices, links = {}, tool, prints } = given;
  await host.exec(`set -e
own=$(mktemp -d); mount -t tmpfs -o mode=755 dev $own
cd /dev; cp -a null zero full random urandom tty ptmx fd stdin stdout stderr $own
cd $own; mkdir -p pts shm; mount --rbind /dev/pts pts
${devices.map((path) => `mkdir -p $(dirname ${path}); mknod ${path} c 1 3`).join('\n')}
${Object.entries(links)
  .map(([path, target]) => `mkdir -p $(dirname ${path}); ln -s ${target} ${path}`)
  .join('\n')}
mount --rbind $own /dev`);
  if (tool !== undefined) await putTool(host, tool, `cat <<'PRINTS'\n${prints}\nPRINTS`);
}

/** Puts a program into the host's PATH, or replaces it at once. */
export async function putTool(host: Reached, name: string, script: string): Promise<void> {
  const path = `/usr/local/bin/${name}`;
  await host.exec(`set -e
cat > ${path}.new <<'TOOL'
#!/bin/sh
${script}
TOOL
chmod 755 ${path}.new; mv ${path}.new ${path}`);
}

/** Docker's daemon looks for this when it starts, to pass NVIDIA's GPUs to containers. */
export async function withNvidiaHook(host: TestHost): Promise<void> {
  await host.exec(
    "printf '%s\\n' '#!/bin/sh' 'exit 0' > /usr/local/bin/nvidia-container-runtime-hook; chmod 755 /usr/local/bin/nvidia-container-runtime-hook",
  );
  await host.stopDocker();
  await host.startDocker();
}
