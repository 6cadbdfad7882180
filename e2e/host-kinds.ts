/** Turns a test host into one of the kinds that are met in the field. */
import { setTimeout as delay } from 'node:timers/promises';
import type { TestHost } from '@dstack/testkit/hosts';

const SSHD = '/etc/test-host/sshd_config';

let configs = 0;

/** Runs a script over `$file`, the host's sshd_config, and waits until its sshd goes by it. */
export async function changeSshd(host: TestHost, script: string): Promise<void> {
  configs += 1;
  const mark = `sed -i /^SetEnv/d $file; echo SetEnv CONFIG=${configs} >> $file`;
  await host.exec(`file=${SSHD}; ${script}; ${mark}; kill -HUP $(cat /run/sshd.pid)`);
  const seen = () => host.exec('echo $CONFIG').catch(() => '');
  while ((await seen()).trim() !== String(configs)) await delay(50);
}

/** A user who is let in with the key that opens the hosts; `sudoers` says what it may. */
export async function addUser(host: TestHost, name: string, sudoers: string): Promise<void> {
  await host.exec(`set -e
useradd -m -s /bin/bash ${name}; usermod -p '*' ${name}
printf '%s\\n' '${sudoers}' > /etc/sudoers.d/${name}; chmod 440 /etc/sudoers.d/${name}`);
}

/**
 * Whoever logs in is in a root where there is busybox and nothing else: no C library, no loader, no
 * bash, as on hosts on which Node cannot run by itself. sshd and Docker's daemon stay outside.
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
