import { hostname } from 'node:os';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { shellJoin, shellQuote } from '@dstack/contract/shell';
import type { HostShell } from './host-shell.ts';
import {
  AGENT_LOG,
  AGENT_SOCKET,
  ENVIRONMENT,
  INCOMING_DIR,
  INSTALL_DIRS,
  LAUNCHER,
  OWNER_NAME,
  SOCKET_DIR,
  STARTED,
  STATE_DIR,
  SUPERVISOR,
  SUPERVISOR_PID,
  TOKEN,
  UNIT,
  UNIT_FILE,
  VOLUMES_DIR,
} from './layout.ts';
import type { HostPurpose, Preflight } from './preflight.ts';
import type { Installed } from './put-programs.ts';
import { tarOf } from './tar.ts';

/** Time to end the containers of a hundred jobs, in milliseconds. */
const REMOVE_MS = 5 * 60_000;

/** The end of lines of `authorized_keys` that the agent has written, as a pattern of `grep -E`. */
const JOB_IDS = '[0-9a-f-]{36}(,[0-9a-f-]{36})*';
const OUR_KEYS = ` dstack:${JOB_IDS}$| dstack-shell:[A-Za-z0-9_,-]+$`;

/** The prefix of program names. */
const KINDS = ['node', 'libraries', 'agent'] as const;

export interface AgentSettings {
  readonly serverId: string;
  readonly token: string;
  /** From the fleet, for the agent itself (proxies and the like). */
  readonly env: Readonly<Record<string, string>>;
  readonly installed: Installed;
  readonly purpose: HostPurpose;
}

/**
 * Writes the files that start the agent, and makes sure that it runs with them. Jobs survive a
 * restart; without a change nothing is restarted.
 */
export async function startHostAgent(host: Preflight, settings: AgentSettings): Promise<void> {
  await bringFiles(host, settings);
  const script = `
set -e
umask 077
old=$(cat ${STARTED} 2>/dev/null || true)
for file in ${INCOMING_DIR}/*; do mv -f "$file" ${STATE_DIR}/; done
rmdir ${INCOMING_DIR}
new=$(cat ${COMPARED.join(' ')})
${AGENT_PID}
${host.systemd ? startBySystemd() : startBySupervisor()}
cat ${COMPARED.join(' ')} > ${STARTED}
${forgetOldPrograms(settings.installed)}
`;
  await host.shell.run('Starting the agent', script);
}

/** A change of one of these needs another start. */
const COMPARED = [LAUNCHER, ENVIRONMENT, TOKEN];

/** They contain values of users and of the server, which no script on the host does. */
async function bringFiles(host: Preflight, settings: AgentSettings): Promise<void> {
  const file = (path: string, text: string) => ({
    ...{ name: basename(path), bytes: Buffer.from(text), mode: 0o600 },
  });
  const files = await tarOf([
    file(TOKEN, `${settings.token}\n`),
    file(OWNER_NAME, `${hostname()}\n`),
    file(ENVIRONMENT, JSON.stringify(settings.env)),
    file(LAUNCHER, `${launcher(host, settings)}\n`),
  ]);
  const script = [
    'set -e; umask 077',
    `mkdir -p ${STATE_DIR}; rm -rf ${INCOMING_DIR}; mkdir ${INCOMING_DIR}`,
    `tar -xf - -C ${INCOMING_DIR}`,
  ].join('; ');
  await host.shell.feed('Configuring the agent', script, Readable.from([files]));
}

/** Sets `pid` to that of the living agent, or to nothing. */
const AGENT_PID = `
pid=$(sed -n 's/.*"pid":\\([0-9]*\\).*/\\1/p' ${STATE_DIR}/agent.lock 2>/dev/null || true)
if [ -n "$pid" ] && ! grep -q main.js "/proc/$pid/cmdline" 2>/dev/null; then pid=; fi
`;

function launcher({ gid, home }: Preflight, settings: AgentSettings): string {
  const { node, main } = settings.installed;
  const program = [...node, '--max-old-space-size=256', main];
  const options = [
    ...['--state', STATE_DIR],
    ...['--socket', AGENT_SOCKET],
    // A machine of a gateway has no Docker, and no jobs.
    ...['--executor', settings.purpose === 'jobs' ? 'docker' : 'process'],
    ...['--server-id', settings.serverId],
    ...['--authorized-keys', `${home}/.ssh/authorized_keys`],
    ...['--environment', ENVIRONMENT],
  ];
  return [
    '#!/bin/sh',
    '# Written by the dstack server, which starts the agent with it.',
    // The command by which the agent starts its side programs; with a loader its own path is not a
    // Node.
    `export DSTACK_AGENT_NODE=${shellQuote(node.join(' '))}`,
    // The group of the login user, who reaches the socket in it; new files inherit the group.
    `mkdir -p ${SOCKET_DIR} && chgrp ${gid} ${SOCKET_DIR} && chmod 2750 ${SOCKET_DIR}`,
    `exec ${shellJoin([...program, ...options])}`,
  ].join('\n');
}

function startBySystemd(): string {
  return `
cat > ${UNIT_FILE} <<'DSTACK_UNIT'
[Unit]
Description=dstack agent
After=network-online.target docker.service
Wants=network-online.target

[Service]
ExecStart=/bin/sh ${LAUNCHER}
Restart=always
RestartSec=1
RestartPreventExitStatus=2 3
# Jobs outlive the agent.
KillMode=process
Delegate=yes

[Install]
WantedBy=multi-user.target
DSTACK_UNIT
chmod 644 ${UNIT_FILE}
systemctl daemon-reload
systemctl enable ${UNIT} >/dev/null 2>&1
if [ "$old" != "$new" ] || ! systemctl is-active --quiet ${UNIT}; then systemctl restart ${UNIT}; fi
`;
}

function startBySupervisor(): string {
  return `
cat > ${SUPERVISOR} <<'DSTACK_SUPERVISOR'
#!/bin/sh
# Keeps the dstack agent running where there is no systemd.
while :; do
  if [ "$(wc -c < ${AGENT_LOG} 2>/dev/null || echo 0)" -gt 10000000 ]; then mv ${AGENT_LOG} ${AGENT_LOG}.1; fi
  sh ${LAUNCHER} >> ${AGENT_LOG} 2>&1
  case $? in 2|3) exit ;; esac
  sleep 1
done
DSTACK_SUPERVISOR
keeper=$(cat ${SUPERVISOR_PID} 2>/dev/null || true)
if [ -n "$keeper" ] && grep -q ${SUPERVISOR} "/proc/$keeper/cmdline" 2>/dev/null; then
  if [ "$old" != "$new" ] && [ -n "$pid" ]; then kill "$pid"; fi
else
  if [ -n "$pid" ]; then kill "$pid" || true; fi
  run=; if command -v setsid >/dev/null 2>&1; then run=setsid; fi
  $run sh ${SUPERVISOR} > /dev/null 2>&1 < /dev/null &
  echo $! > ${SUPERVISOR_PID}
fi
`;
}

/**
 * Side programs of jobs that began under an older version still run from it, so it stays a while.
 */
function forgetOldPrograms({ dir, names }: Installed): string {
  return `
for dir in ${INSTALL_DIRS.flatMap((each) => KINDS.map((kind) => `${each}/${kind}-*`)).join(' ')}; do
  case "$dir" in ${names.map((name) => `${dir}/${name}`).join('|')}) continue ;; esac
  if [ -d "$dir" ] && ! grep -lsqF "$dir/" /proc/[0-9]*/cmdline; then rm -rf "$dir"; fi
done
`;
}

/** The last lines of the log of an agent that does not answer. */
export async function lastLogLines(host: Preflight): Promise<string> {
  const read = host.systemd
    ? `journalctl -u ${UNIT} -n 5 -o cat --no-pager`
    : `tail -n 5 ${AGENT_LOG}`;
  const { stdout } = await host.shell.try(`${read} 2>/dev/null`);
  return stdout.trim().split('\n').slice(-2).join(' ').slice(0, 400);
}

/** Whether the agent listens, by the kernel's list of sockets (flag `SO_ACCEPTCON`). */
export async function agentListens(host: Preflight): Promise<boolean> {
  const { code } = await host.shell.try(`grep -q ' 00010000 .* ${AGENT_SOCKET}$' /proc/net/unix`);
  return code === 0;
}

/** Data of volumes are never removed with an agent, only by the deletion of the volume. */
const REMOVE_STATE = `
if [ -n "$(ls ${VOLUMES_DIR} 2>/dev/null)" ]; then
  find ${STATE_DIR} -mindepth 1 -maxdepth 1 ! -name volumes -exec rm -rf {} +
else
  rm -rf ${STATE_DIR}
fi`;

/** They live on without an agent. Without its file, a program also ends its nginx. */
const END_GATEWAYS = `
rm -f ${STATE_DIR}/gateways/*/gateway.json
for state in ${STATE_DIR}/gateways/*; do
  id=$(basename "$state" | cut -c 1-8)
  dir=${SOCKET_DIR}-gw-$id
  [ -d "$dir" ] || continue
  program=$(sed -n 's/.*"pid":\\([0-9]*\\).*/\\1/p' "$dir/program.json" 2>/dev/null || true)
  if [ -n "$program" ] && grep -q "$dir" "/proc/$program/cmdline" 2>/dev/null; then
    kill "$program" || true
    n=0; while [ -d "/proc/$program" ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
    [ ! -d "/proc/$program" ] || kill -9 "$program" || true
  fi
  nginx=$(cat "$dir/nginx.pid" 2>/dev/null || true)
  if [ -n "$nginx" ] && grep -q "$dir" "/proc/$nginx/cmdline" 2>/dev/null; then kill "$nginx" || true; fi
  rm -rf "$dir"
done`;

/**
 * Removes the agent, its jobs and all its files from the host, except the data of volumes, if it is
 * this server's agent (by its token). Also removes the files of an agent that was never started.
 * Returns whether there was one.
 */
export async function removeAgent(shell: HostShell, token: string): Promise<boolean> {
  const script = `
set -e
if [ ! -e ${TOKEN} ]; then
  rm -rf ${INSTALL_DIRS.join(' ')} 2>/dev/null || true
  rmdir ${STATE_DIR} 2>/dev/null || true
fi
if [ "$(cat ${TOKEN} 2>/dev/null)" != ${shellQuote(token)} ]; then echo foreign; exit 0; fi
if [ -f ${UNIT_FILE} ]; then
  systemctl disable --now ${UNIT} >/dev/null 2>&1 || true
  rm -f ${UNIT_FILE}; systemctl daemon-reload || true
fi
keeper=$(cat ${SUPERVISOR_PID} 2>/dev/null || true)
if [ -n "$keeper" ] && grep -q ${SUPERVISOR} "/proc/$keeper/cmdline" 2>/dev/null; then kill -9 "$keeper" || true; fi
${AGENT_PID}
keys=$(${keysFileIn(LAUNCHER)} 2>/dev/null || true)
if [ -n "$pid" ]; then
  kill "$pid" || true
  n=0; while [ -d "/proc/$pid" ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n + 1)); done
  [ ! -d "/proc/$pid" ] || kill -9 "$pid" || true
fi
${END_GATEWAYS}
for job in ${STATE_DIR}/jobs/*; do
  if [ -d "$job" ] && command -v docker >/dev/null 2>&1; then docker rm -fv "dstack-\${job##*/}" >/dev/null 2>&1 || true; fi
done
${removeOurKeys()}
${REMOVE_STATE}
rm -rf ${SOCKET_DIR} ${SUPERVISOR_PID} /opt/dstack
`;
  return (await shell.run('Removing the agent', script, REMOVE_MS)).trim() !== 'foreign';
}

/**
 * Prints the path that a launcher passes to its agent: earlier servers quoted each argument of the
 * line.
 */
export function keysFileIn(launcher: string): string {
  const quoted = `s/.*--authorized-keys'\\{0,1\\} '\\([^']*\\)'.*/\\1/p`;
  const plain = `s/.*--authorized-keys \\([^' ]*\\) .*/\\1/p`;
  return `sed -n -e "${quoted}" -e "${plain}" ${shellQuote(launcher)}`;
}

/**
 * Removes our lines from the file `$keys`, by way of another file, so that users keep their access
 * if this is interrupted. The copy gets the owner and the rights of the file.
 */
function removeOurKeys(): string {
  return `
if [ -n "$keys" ] && [ -f "$keys" ] && grep -qE ${shellQuote(OUR_KEYS)} "$keys"; then
  file=$(readlink -f "$keys")
  cp -p "$file" "$file.dstack"
  grep -vE ${shellQuote(OUR_KEYS)} "$file" > "$file.dstack" || true
  mv -f "$file.dstack" "$file"
fi
`;
}
