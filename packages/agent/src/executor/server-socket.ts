/** The socket by which a job reaches the server, and who may connect to it. */
export interface ServerSocket {
  readonly path: string;
  /** Mode of its folder if it has a folder of its own; null = the folder exists. */
  readonly folderMode: number | null;
  readonly mode: number;
  /** Null = the agent's own user. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
}
