import { plainLine } from '@dstack/contract/plain-text';

export interface Choice {
  readonly value: string;
  /** Text of the entry; the value if omitted. */
  readonly name?: string;
}

/** Lets the user pick one with the arrow keys. The menu writes to the terminal directly. */
export async function choose(
  message: string,
  choices: readonly Choice[],
  preselected?: string,
): Promise<string> {
  const { select } = await import('@inquirer/prompts');
  return select({
    message,
    choices: choices.map(({ value, name = value }) => ({ value, name: plainLine(name) })),
    ...(preselected === undefined ? {} : { default: preselected }),
  });
}
