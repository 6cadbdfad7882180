/** A client that is connected to a server in the same process. */
import { Client } from '@modelcontextprotocol/client';
import { InMemoryTransport } from '@modelcontextprotocol/server';
import { onTestFinished } from 'vitest';
import type { DocPages } from '../doc-pages.ts';
import type { PackFiles } from '../local-files.ts';
import { createMcpServer } from '../mcp-server.ts';
import type { ProjectConnection } from '../tool.ts';

export interface ToolResult {
  readonly isError: boolean;
  readonly text: string;
  readonly data: Record<string, unknown>;
}

const NO_DOCS: DocPages = { list: async () => [], read: async () => null };

export async function connected(
  connection: unknown,
  docs = NO_DOCS,
  packFiles: PackFiles | null = null,
) {
  const connect = async () => connection as ProjectConnection;
  const server = createMcpServer({ version: 'test', connect, docs, packFiles });
  const client = new Client({ name: 'test', version: '1' });
  const [one, other] = InMemoryTransport.createLinkedPair();
  await Promise.all([server.connect(one), client.connect(other as never)]);
  onTestFinished(() => client.close());
  const call = async (name: string, args: object = {}): Promise<ToolResult> => {
    const answer = await client.callTool({ name, arguments: { ...args } });
    const [first] = answer.content as { readonly text: string }[];
    return {
      isError: answer.isError === true,
      text: first?.text ?? '',
      data: (answer.structuredContent ?? {}) as Record<string, unknown>,
    };
  };
  return { client, call };
}
