/** Paths on a host. */
import { HOST_STATE_DIR } from '@dstack/contract/agent';

/** State of the agent: token, owner, jobs. Only root may read it. */
export const STATE_DIR = HOST_STATE_DIR;
export const SOCKET_DIR = '/run/dstack';
export const AGENT_SOCKET = `${SOCKET_DIR}/agent.sock`;
export const DOCKER_SOCKET = '/var/run/docker.sock';

/** Programs are in the first of these folders from which programs can be run. */
export const INSTALL_DIRS = ['/opt/dstack', `${STATE_DIR}/programs`] as const;

/** Data of volumes, kept by the agent. */
export const VOLUMES_DIR = `${STATE_DIR}/volumes`;

/** Files of an agent's start, as they arrive, and where they are kept. */
export const INCOMING_DIR = `${STATE_DIR}/incoming`;
export const TOKEN = `${STATE_DIR}/token`;
export const OWNER_NAME = `${STATE_DIR}/owner-name`;
/** JSON of the agent's environment. */
export const ENVIRONMENT = `${STATE_DIR}/environment.json`;
/** The command of the agent's last start. */
export const STARTED = `${STATE_DIR}/started-with`;
export const LAUNCHER = `${STATE_DIR}/start-agent`;
export const SUPERVISOR = `${STATE_DIR}/keep-agent`;
export const AGENT_LOG = `${STATE_DIR}/agent.log`;
export const UNIT = 'dstack-agent.service';
export const UNIT_FILE = `/etc/systemd/system/${UNIT}`;
export const SUPERVISOR_PID = '/run/dstack-keep-agent.pid';
