import type { CountedService } from './proxy-figures.ts';

/** The figures that were last sent for each service, of which there may be thousands. */
export class ChangedFigures {
  #sent: Map<string, string> = new Map();

  get size(): number {
    return this.#sent.size;
  }

  /** Those that differ from the last time. Services that are not among them have left. */
  of(services: readonly CountedService[]): CountedService[] {
    const before = this.#sent;
    const texts = new Map(services.map((one) => [one.runId, JSON.stringify(one)]));
    this.#sent = texts;
    return services.filter(({ runId }) => texts.get(runId) !== before.get(runId));
  }

  /** Those that differ from the last time, where these are only some of the services. */
  among(services: readonly CountedService[]): CountedService[] {
    return services.filter((one) => {
      const text = JSON.stringify(one);
      const isChanged = this.#sent.get(one.runId) !== text;
      this.#sent.set(one.runId, text);
      return isChanged;
    });
  }
}
