import { interpolate } from '@dstack/contract';
import { maskedText } from '@dstack/contract/wire';

/** The job cannot be started because of its configuration; the message is for its author. */
export class JobSpecError extends Error {
  override name = 'JobSpecError';
}

/** Fills in a project's secrets, and records which of them one job uses. */
export class NamedSecrets {
  readonly #secrets: Readonly<Record<string, string>>;
  readonly #named = new Set<string>();

  constructor(secrets: Readonly<Record<string, string>>) {
    this.#secrets = secrets;
  }

  /** Throws `JobSpecError` for a name without a value. */
  fill(text: string): string {
    if (!text.includes('${{')) return text;
    const answer = interpolate(text, { secrets: this.#secrets });
    if (!answer.ok) throw new JobSpecError(`Secrets interpolation error: ${answer.error}`);
    for (const name of answer.used) this.#named.add(name.slice('secrets.'.length));
    return answer.text;
  }

  /** Texts to mask in the job's output: secrets that were filled in so far, and `others`. */
  maskedWith(others: readonly (string | null)[]): string[] {
    const named = [...this.#named].map((name) => this.#secrets[name] ?? null);
    const texts = [...named, ...others].map((value) => (value === null ? null : maskedText(value)));
    return [...new Set(texts.filter((text) => text !== null))];
  }
}
