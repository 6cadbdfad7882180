/**
 * Jobs without a container: processes of the node, in a mount namespace of their own. `/tmp` is memory
 * that no other job sees and that ends with the namespace, however the job ends; the files of dstack in
 * the home directory are out of sight.
 */
import { ON_HOST } from './places.ts';

/** Words before the command of the agent. */
export function hostCommand(programs: string, folder: string): readonly string[] {
  return [
    ...['unshare', '--user', '--map-root-user', '--mount'],
    ...['sh', '-c', INSIDE, 'sh', programs, folder],
  ];
}

/** The agent writes into the home of its job, and the one of the login user is not the job's. */
const INSIDE = `
set -eu
programs=$1 folder=$2; shift 2
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p ${ON_HOST.programs} ${ON_HOST.job} ${ON_HOST.run} /tmp/workflow /tmp/home
mount --bind "$programs" ${ON_HOST.programs}
mount -o remount,bind,ro ${ON_HOST.programs} 2>/dev/null || true
mount --bind "$folder" ${ON_HOST.job}
mount -t tmpfs -o mode=700 tmpfs "$HOME/.dstack"
unset TMPDIR
export DSTACK_LOGIN_HOME="$HOME"
export HOME=/tmp/home
cd /tmp/workflow
exec "$@"
`.trim();
