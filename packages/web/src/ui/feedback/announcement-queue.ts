/** Announcements that come within this time are read as one, in ms. */
const JOIN_MS = 250;
/** More than this many at once are counted, not read. */
const MOST = 3;

export interface AnnouncementTimers {
  readonly set: (run: () => void, ms: number) => unknown;
  readonly clear: (timer: unknown) => void;
}

const BROWSER_TIMERS: AnnouncementTimers = {
  set: (run, ms) => setTimeout(run, ms),
  clear: (timer) => clearTimeout(timer as number),
};

/** Joins bursts of announcements. The same text twice is read twice. */
export class AnnouncementQueue {
  readonly #show: (text: string) => void;
  readonly #timers: AnnouncementTimers;
  #waiting: string[] = [];
  #timer: unknown = null;
  #last = '';

  constructor(show: (text: string) => void, timers: AnnouncementTimers = BROWSER_TIMERS) {
    this.#show = show;
    this.#timers = timers;
  }

  readonly announce = (text: string): void => {
    if (!this.#waiting.includes(text)) this.#waiting.push(text);
    if (this.#timer !== null) return;
    this.#timer = this.#timers.set(() => this.#flush(), JOIN_MS);
  };

  close(): void {
    if (this.#timer !== null) this.#timers.clear(this.#timer);
    this.#timer = null;
  }

  #flush(): void {
    const texts = this.#waiting;
    this.#waiting = [];
    this.#timer = null;
    const more = texts.length - MOST;
    const joined = texts.slice(0, MOST).join('. ') + (more > 0 ? `. And ${more} more changes` : '');
    // An invisible blank makes the same text a new one.
    this.#last = joined === this.#last ? `${joined}\u00a0` : joined;
    this.#show(this.#last);
  }
}
