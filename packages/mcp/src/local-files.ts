/** The files of the user's computer, which only a program that runs there can read. */
import type { Client } from '@dstack/client';
import type { FileArchiveMapping } from '@dstack/contract/wire';

/** One entry of `files` in a configuration. */
export interface UserFile {
  readonly local_path: string;
  readonly path: string;
}

export interface PackedUserFiles {
  /** The entries with absolute local paths, as sent to the server. */
  readonly mappings: readonly UserFile[];
  /** Those that the server has already. */
  readonly known: readonly FileArchiveMapping[];
  /** Sends the others; returns all, in the order of the entries. */
  readonly upload: () => Promise<readonly FileArchiveMapping[]>;
}

/** Packs every entry. Throws a `ToolRefusal` if one cannot be read, or is larger than the server accepts. */
export type PackFiles = (files: readonly UserFile[], client: Client) => Promise<PackedUserFiles>;
