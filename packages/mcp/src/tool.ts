/** The form of a tool, and what all tools have in common. */
import type { Client, ProjectClient } from '@dstack/client';
import {
  ClientError,
  ForbiddenError,
  ResourceNotExistsError,
  UnauthorizedError,
} from '@dstack/client';
import { errorMessage } from '@dstack/contract/error-message';
import type { CallToolResult, McpServer } from '@modelcontextprotocol/server';
import type * as z from 'zod';
import { firstPart } from './bounds.ts';
import type { PackFiles } from './local-files.ts';

/** A project on a server, in the caller's name. */
export interface ProjectConnection {
  readonly client: Client;
  readonly project: ProjectClient;
}

export interface ToolContext extends ProjectConnection {
  /** Aborted if the client cancels the call. */
  readonly signal: AbortSignal;
  /** Null over HTTP: the program does not run on the user's computer. */
  readonly packFiles: PackFiles | null;
}

/** `read`: changes nothing; `act`: starts, changes or ends something, after a confirmation. */
export type ToolKind = 'read' | 'act';

export interface ToolAnswer {
  /** The text for the model; without it, `data` as JSON. */
  readonly text?: string;
  readonly data: Record<string, unknown>;
}

export interface Tool<Input extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly kind: ToolKind;
  readonly input: Input;
  readonly output: z.ZodObject;
  readonly run: (input: z.infer<Input>, context: ToolContext) => Promise<ToolAnswer>;
}

/** Keeps the types of the input while the list of tools forgets them. */
export function tool<Input extends z.ZodObject>(definition: Tool<Input>): Tool {
  return definition as unknown as Tool;
}

/** A refusal that the model can act upon. */
export class ToolRefusal extends Error {
  override readonly name = 'ToolRefusal';
}

export interface ToolSources {
  /** Called at each call of a tool, never before. */
  readonly connect: () => Promise<ProjectConnection>;
  /** Null over HTTP. */
  readonly packFiles: PackFiles | null;
}

export function registerTool(
  server: McpServer,
  { name, title, description, kind, input, output, run }: Tool,
  { connect, packFiles }: ToolSources,
): void {
  const annotations = {
    title,
    readOnlyHint: kind === 'read',
    destructiveHint: kind === 'act',
    idempotentHint: kind === 'read',
    openWorldHint: false,
  };
  server.registerTool(
    name,
    { title, description, inputSchema: input, outputSchema: output, annotations },
    async (given, extra): Promise<CallToolResult> => {
      try {
        const connection = await connect();
        const context = { ...connection, packFiles, signal: extra.mcpReq.signal };
        const { text, data } = await run(given, context);
        return {
          content: [{ type: 'text', text: text ?? JSON.stringify(data, null, 1) }],
          structuredContent: data,
        };
      } catch (error) {
        return { isError: true, content: [{ type: 'text', text: firstPart(failureText(error)) }] };
      }
    },
  );
}

/** The error and its cause. The server's text suffices: for a missing right it names who can grant it. */
function failureText(error: unknown): string {
  if (error instanceof UnauthorizedError) {
    return 'The server requires a token. Set DSTACK_TOKEN, or run `dstack login`.';
  }
  if (error instanceof ForbiddenError) return `Not allowed: ${error.message}`;
  if (error instanceof ResourceNotExistsError) {
    return `${error.message}. list_runs and list_fleets show what exists in the project.`;
  }
  if (error instanceof ClientError || error instanceof ToolRefusal) return error.message;
  return `The call failed: ${errorMessage(error)}`;
}
