/** dstack's operations as tools and resources of the Model Context Protocol. */
export { type DocPage, type DocPages, docsInFolder } from './doc-pages.ts';
export { type HttpOptions, mcpOverHttp } from './http.ts';
export type { PackedUserFiles, PackFiles, UserFile } from './local-files.ts';
export { createMcpServer, type McpServerOptions } from './mcp-server.ts';
export { serveOverStdio } from './stdio.ts';
export { type ProjectConnection, ToolRefusal } from './tool.ts';
