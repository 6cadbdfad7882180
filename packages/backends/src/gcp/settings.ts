/** The settings that the adapter reads of a configuration. */
export interface GcpSettings {
  readonly project: string;
  readonly regions: readonly string[];
  readonly network: NetworkSettings;
  /** Whether offers of TPUs are shown. */
  readonly showsTpus: boolean;
  /** Email of the service account of machines; null = none. */
  readonly serviceAccount: string | null;
  /** Labels of the configuration, which win over those of users. */
  readonly labels: Readonly<Record<string, string>>;
  /** Flags of the catalogue whose types are sold to this project. */
  readonly previews: readonly string[];
}

export interface NetworkSettings {
  /** Project of the VPC, if that is shared by another one; null = the project of the machines. */
  readonly hostProject: string | null;
  /** Null = the VPC `default`. */
  readonly vpc: string | null;
  /** Names of subnetworks by their regions. */
  readonly subnetworks: Readonly<Record<string, string>>;
  /** VPCs of the other network interfaces of types that have several. */
  readonly extraVpcs: readonly string[];
  /** Whether machines get public addresses. */
  readonly isPublic: boolean;
  /** Whether `check` looks for a way to the internet of machines without public addresses. */
  readonly checksNat: boolean;
}
