import type { Fields } from './ec2-request.ts';
import type { Ec2Answer } from './ec2-xml.ts';

/** Limits on vCPUs by the codes of quotas, which moto does not have for EC2. */
export class Ec2Quotas {
  readonly #limits = new Map<string, number>();

  set(code: string, value: number): void {
    this.#limits.set(code, value);
  }

  /** `target`: of the request. Null: another call. */
  answer(target: string | string[] | undefined): Ec2Answer | null {
    if (!String(target ?? '').endsWith('.ListServiceQuotas')) return null;
    const quotas = [...this.#limits].map(([QuotaCode, Value]) => ({ QuotaCode, Value }));
    return { status: 200, body: JSON.stringify({ Quotas: quotas }) };
  }
}

/** Types that are sold out in a zone. */
export class Ec2Capacity {
  readonly #soldOut = new Set<string>();

  sellOut(type: string, zone: string): void {
    this.#soldOut.add(`${type} ${zone}`);
  }

  get isAsked(): boolean {
    return this.#soldOut.size > 0;
  }

  has({ InstanceType: type = '' }: Fields, zone: string | null): boolean {
    return !this.#soldOut.has(`${type} ${zone ?? ''}`);
  }
}
