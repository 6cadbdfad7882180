/** The devices that attached volumes are on their machines. */
export interface SimDisks {
  /** The same device again while it is attached; null = machines cannot have devices. */
  attach(volume: string, size: { readonly gib: number }): Promise<string | null>;
  /** False: the machine still uses it, and there is no `force`. An unknown one is detached. */
  detach(volume: string, options: { readonly force: boolean }): Promise<boolean>;
  /** With its data. An unknown one has been deleted. */
  delete(volume: string): Promise<void>;
}

/** Names of devices, for machines whose agents mount nothing. */
export const NAMED_DISKS: SimDisks = {
  attach: async (volume) => `/dev/disk/by-id/${volume}`,
  detach: async () => true,
  delete: async () => {},
};
