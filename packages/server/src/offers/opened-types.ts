/** Types of backends that create machines; others that a project configures are price lists. */
export const OPENED_TYPES: ReadonlySet<string> = new Set(['kubernetes', 'slurm']);
