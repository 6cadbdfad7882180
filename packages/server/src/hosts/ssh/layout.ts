/** Where things lie on a host. */

/** State of the agent: token, owner, jobs. Only root may read it. */
export const STATE_DIR = '/var/lib/dstack';
export const SOCKET_DIR = '/run/dstack';
export const AGENT_SOCKET = `${SOCKET_DIR}/agent.sock`;
export const DOCKER_SOCKET = '/var/run/docker.sock';

/** Programs: the first of these from which programs can be run. */
export const INSTALL_DIRS = ['/opt/dstack', `${STATE_DIR}/programs`] as const;

export const LAUNCHER = `${STATE_DIR}/start-agent`;
export const SUPERVISOR = `${STATE_DIR}/keep-agent`;
export const AGENT_LOG = `${STATE_DIR}/agent.log`;
export const UNIT = 'dstack-agent.service';
export const UNIT_FILE = `/etc/systemd/system/${UNIT}`;
export const SUPERVISOR_PID = '/run/dstack-keep-agent.pid';
