/** Takes the slots of an option out of the ledger. */
import type { GangRequest } from './gang-request.ts';
import type { CapacityLedger } from './place/capacity-ledger.ts';
import type { Claimant } from './place/claimant.ts';
import type { FleetOption, Slot } from './place/fleet-option.ts';
import { triedOffers } from './place/new-capacity.ts';
import { shareOfSlot } from './quota/share-of-slot.ts';
import { amountsOfSlot, payerOf } from './quota/slots.ts';

/** Claims the slots of an option; `each` is called with every slot and its instance number. */
export function claimSlots(
  ledger: CapacityLedger,
  { limit }: Pick<GangRequest, 'limit'>,
  run: Claimant,
  option: FleetOption,
  each: (slot: Slot, index: number, instanceNum: number) => void = () => {},
): void {
  ledger.setFleetOfRun(run.id, option.fleet.id);
  for (const [index, slot] of option.slots.entries()) {
    const instance = slot.kind === 'existing' ? slot.instance : null;
    if (ledger.quotas.concerns(run)) {
      ledger.quotas.claim(payerOf({ run }, option.fleet), amountsOfSlot(slot));
    }
    if (ledger.shares) ledger.shares.claim(run, shareOfSlot(ledger.shares, slot).rate);
    ledger.volumes.claim(slot.volumes, instance?.id ?? null);
    if (slot.kind === 'existing') {
      ledger.claim(slot.instance, slot.blocks, run, limit);
      each(slot, index, slot.instance.instanceNum);
    } else {
      const [offer] = triedOffers(slot.offers);
      each(slot, index, ledger.addInstance(option.fleet.id, offer, run));
    }
  }
}
