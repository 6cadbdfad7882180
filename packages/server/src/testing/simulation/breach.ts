/** `rule`: number of the invariant. */
export class Breach extends Error {
  override name = 'Breach';

  constructor(rule: number, text: string) {
    super(`invariant ${rule}: ${text}`);
  }
}
