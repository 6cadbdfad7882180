/** The meanings of colours. Each has the tokens `--tone-<name>`, `-tint` and `-solid`. */
export const TONES = [
  'queued',
  'starting',
  'running',
  'warning',
  'failed',
  'stopped',
  'done',
] as const;
export type Tone = (typeof TONES)[number];
