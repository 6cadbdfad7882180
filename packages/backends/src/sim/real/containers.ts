import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';

/** The label that the agent puts on its containers; its value is in the state folder. */
const AGENT_LABEL = 'ai.dstack.agent-id';

/** Removes the containers of a Docker executor whose agent has ended. */
export async function removeContainers(stateDir: string): Promise<void> {
  const id = agentId(stateDir);
  if (id === null) return;
  const filters = encodeURIComponent(JSON.stringify({ label: [`${AGENT_LABEL}=${id}`] }));
  const found = await docker('GET', `/containers/json?all=1&filters=${filters}`);
  for (const container of JSON.parse(found) as readonly { readonly Id: string }[]) {
    await docker('DELETE', `/containers/${container.Id}?force=1&v=1`);
  }
}

function agentId(stateDir: string): string | null {
  try {
    return readFileSync(join(stateDir, 'agent-id'), 'utf8').trim();
  } catch {
    // It was ended before it created containers.
    return null;
  }
}

/** Returns the body, whatever the status: a container may have been removed already. */
function docker(method: string, path: string): Promise<string> {
  const { DOCKER_HOST = '/var/run/docker.sock' } = process.env;
  const socketPath = DOCKER_HOST.replace(/^unix:\/\//, '');
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve(Buffer.concat(parts).toString()));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end();
  });
}
