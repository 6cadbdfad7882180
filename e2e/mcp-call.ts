import type { Installation } from '@dstack/testkit';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

/** Calls a tool of the server's MCP, which calls the API of the same server; returns its text. */
export async function callTool(home: Installation, name: string): Promise<string> {
  const client = new Client({ name: 'test', version: '1' });
  const headers = { authorization: `Bearer ${home.token()}` };
  const url = new URL(`${home.url}/mcp`);
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
  try {
    const { content } = await client.callTool({ name, arguments: {} });
    return (content as { readonly text: string }[]).map(({ text }) => text).join('\n');
  } finally {
    await client.close();
  }
}
