/** The capacity of an account: types of machines, how many of them are left where, and its quota. */
import { Refusal } from './refusal.ts';

export interface VmType {
  readonly name: string;
  readonly description: string;
  readonly vcpus: number;
  readonly memoryGib: number;
  readonly diskGib: number;
  /** Null: it has none. */
  readonly gpu: {
    readonly name: string;
    readonly count: number;
    readonly memoryGib: number;
  } | null;
  /** US dollars. */
  readonly pricePerHour: number;
  readonly regions: readonly string[];
}

/** The types of machines, images and regions that a provider sells. */
export interface CloudCatalog {
  readonly types: readonly VmType[];
  /** Identifiers of images; the first is taken if a request names none. */
  readonly images: readonly string[];
  readonly regions: readonly CloudRegion[];
}

export interface CloudRegion {
  readonly name: string;
  readonly description: string;
}

export class Capacity {
  /** By `<type> <region>`; a pair without an entry is never sold out. */
  readonly #left = new Map<string, number>();

  /** How many more machines of a type a region has; `Infinity` = it is not limited. */
  leftOf(type: VmType, region: string): number {
    if (!type.regions.includes(region)) return 0;
    return this.#left.get(key(type.name, region)) ?? Number.POSITIVE_INFINITY;
  }

  regionsWith(type: VmType): readonly string[] {
    return type.regions.filter((region) => this.leftOf(type, region) > 0);
  }

  set(type: string, region: string, left: number): void {
    this.#left.set(key(type, region), left);
  }

  /** Throws if there is none. */
  take(type: VmType, region: string): void {
    const left = this.leftOf(type, region);
    if (left <= 0) {
      const what = `${type.name} in ${region}`;
      throw new Refusal('no_capacity', `no capacity for ${what}`, { what });
    }
    this.#left.set(key(type.name, region), left - 1);
  }

  giveBack(type: VmType, region: string): void {
    this.#left.set(key(type.name, region), this.leftOf(type, region) + 1);
  }
}

const key = (type: string, region: string) => `${type} ${region}`;
