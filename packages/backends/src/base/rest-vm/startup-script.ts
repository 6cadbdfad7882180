/**
 * The first boot of a machine whose provider runs a script of root in place of cloud-init, perhaps at each boot. Until
 * it has run, the machine shows a host key of its own, and the server waits for the one that it expects.
 */
import { DOCKER, type UserDataOptions } from './user-data.ts';

/** `loginUser`: has the keys. */
export function startupScript(
  options: Pick<UserDataOptions, 'authorizedKeys' | 'hostKey' | 'first'> & {
    readonly loginUser: string;
  },
): string {
  const { authorizedKeys, hostKey, first = '', loginUser } = options;
  return `#!/bin/sh
key=/etc/ssh/ssh_host_ed25519_key
umask 077
cat > $key <<'END'
${hostKey.privateKey.trim()}
END
echo '${hostKey.publicKey}' > $key.pub
rm -f /etc/ssh/ssh_host_rsa_key* /etc/ssh/ssh_host_ecdsa_key*
home=$(getent passwd ${loginUser} | cut -d: -f6)
mkdir -p "$home/.ssh"
touch "$home/.ssh/authorized_keys"
while read -r line; do
  grep -qxF "$line" "$home/.ssh/authorized_keys" || printf '%s\\n' "$line" >> "$home/.ssh/authorized_keys"
done <<'END'
${authorizedKeys.map((line) => line.trim()).join('\n')}
END
chown -R ${loginUser}: "$home/.ssh"
umask 022
systemctl restart ssh 2>/dev/null || kill -HUP "$(cat /run/sshd.pid)"
${first}${DOCKER}`;
}
