export interface DoctorCheck {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  /** The finding. */
  readonly text: string;
  /** The command or change that helps; null where nothing has to be done. */
  readonly fix: string | null;
}
