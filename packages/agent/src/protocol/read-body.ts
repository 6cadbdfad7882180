import {
  type Infer,
  Malformed,
  type MessageSchema,
  parseMessage,
  VolumeDirectory,
} from '@dstack/contract/agent';
import { AgentError } from '../jobs/agent-error.ts';

const MAX_JSON = 16 * 1024 * 1024;

/** Reads the body of a request. Throws `AgentError` that names the wrong field. */
export async function readBody<S extends MessageSchema>(
  request: AsyncIterable<Uint8Array>,
  schema: S,
): Promise<Infer<S>> {
  const value = await readJson(request);
  try {
    return parseMessage(schema, value);
  } catch (error) {
    throw error instanceof Malformed ? badBody(error.message) : error;
  }
}

/** The id of a volume in a path: it names a directory. Throws `AgentError`. */
export function readVolumeId(id: string): string {
  try {
    return parseMessage(VolumeDirectory, { id }).id;
  } catch {
    throw new AgentError(400, 'bad_request', 'The id of the volume is no UUID');
  }
}

/** The id of a gateway replica in a path: it names directories. Throws `AgentError`. */
export function readGatewayId(id: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return id;
  throw new AgentError(400, 'bad_request', 'The id of the gateway is no UUID');
}

export function badBody(problem: string): AgentError {
  return new AgentError(400, 'bad_request', `The body is invalid: ${problem}`);
}

async function readJson(request: AsyncIterable<Uint8Array>): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MAX_JSON) {
      throw new AgentError(413, 'too_large', `The body is over ${MAX_JSON} bytes`);
    }
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch {
    throw new AgentError(400, 'bad_request', 'The body is not JSON');
  }
}
