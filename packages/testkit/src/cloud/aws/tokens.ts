import type { Fields } from './ec2-request.ts';
import { allTexts, type Ec2Answer, ec2Error } from './ec2-xml.ts';

interface Remembered {
  /** All fields but the token. */
  readonly request: string;
  readonly answer: Promise<Ec2Answer>;
}

/** Idempotency tokens, which moto stores and does not honour. */
export class Ec2Tokens {
  readonly #answers = new Map<string, Remembered>();
  readonly #terminated = new Set<string>();

  /** A token that was used gets the first answer again, also while that is still awaited. */
  async once(
    region: string,
    fields: Fields,
    carryOut: () => Promise<Ec2Answer>,
  ): Promise<Ec2Answer> {
    const { ClientToken: token, ...others } = fields;
    if (!token || fields.DryRun === 'true') return await carryOut();
    const key = `${region} ${fields.Action} ${token}`;
    const request = JSON.stringify(Object.entries(others).sort());
    const earlier = this.#answers.get(key);
    if (earlier === undefined) return await this.#first(key, request, carryOut);
    if (earlier.request !== request) {
      const message =
        'The request uses the same client token as a previous, but non-identical request.';
      return ec2Error(400, 'IdempotentParameterMismatch', message);
    }
    const answer = await earlier.answer;
    const ids = allTexts(answer.body, 'instanceId');
    if (!ids.some((id) => this.#terminated.has(id))) return answer;
    const message = 'The instance of this client token was terminated.';
    return ec2Error(400, 'IdempotentInstanceTerminated', message);
  }

  onTerminated(id: string): void {
    this.#terminated.add(id);
  }

  /** Only a success is remembered. */
  async #first(
    key: string,
    request: string,
    carryOut: () => Promise<Ec2Answer>,
  ): Promise<Ec2Answer> {
    const answer = carryOut();
    this.#answers.set(key, { request, answer });
    try {
      const { status } = await answer;
      if (status !== 200) this.#answers.delete(key);
    } catch (error) {
      this.#answers.delete(key);
      throw error;
    }
    return await answer;
  }
}
