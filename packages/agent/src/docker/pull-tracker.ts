import type { PullProgress } from '@dstack/contract/agent';

/** One message of the Engine's pull stream. */
export interface PullMessage {
  readonly id?: string;
  readonly status?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

interface Layer {
  total: number | null;
  downloaded: number;
  extracted: number;
}

/** Sums up the layers of one pull. Layers that were already present do not count. */
export class PullTracker {
  readonly #layers = new Map<string, Layer>();
  #done = false;

  /** Adds a message. Throws an `Error` with the Engine's message if it reports one. */
  add(message: PullMessage): void {
    if (message.error !== undefined) throw new Error(message.error);
    const { id, status = '' } = message;
    if (status.startsWith('Status:')) this.#done = true;
    if (id === undefined) return;
    const { current, total } = message.progressDetail ?? {};
    switch (status) {
      case 'Pulling fs layer':
      case 'Waiting':
        this.#layer(id);
        return;
      case 'Already exists':
        this.#layers.delete(id);
        return;
      case 'Downloading':
        this.#update(id, total, { downloaded: current ?? 0 });
        return;
      case 'Download complete':
        this.#update(id, undefined, { downloaded: this.#layer(id).total ?? 0 });
        return;
      case 'Extracting':
        this.#update(id, total, { extracted: current ?? 0 });
        return;
      case 'Pull complete': {
        const size = this.#layer(id).total ?? 0;
        this.#update(id, undefined, { downloaded: size, extracted: size });
        return;
      }
      default:
        return;
    }
  }

  /** Whether the Engine has reported that the image is complete. */
  get done(): boolean {
    return this.#done;
  }

  get progress(): PullProgress {
    const layers = [...this.#layers.values()];
    const sum = (pick: (layer: Layer) => number): number =>
      layers.reduce((total, layer) => total + pick(layer), 0);
    return {
      downloaded_bytes: sum((layer) => layer.downloaded),
      extracted_bytes: sum((layer) => layer.extracted),
      total_bytes: sum((layer) => layer.total ?? 0),
      is_total_bytes_final:
        this.#done || (layers.length > 0 && layers.every((each) => each.total !== null)),
    };
  }

  #layer(id: string): Layer {
    const known = this.#layers.get(id);
    if (known) return known;
    const layer = { total: null, downloaded: 0, extracted: 0 };
    this.#layers.set(id, layer);
    return layer;
  }

  #update(id: string, total: number | undefined, change: Partial<Layer>): void {
    const layer = this.#layer(id);
    if (total !== undefined && total > 0) layer.total = total;
    Object.assign(layer, change);
  }
}
