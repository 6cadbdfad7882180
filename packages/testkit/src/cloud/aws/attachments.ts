import type { Fields } from './ec2-request.ts';
import { type Ec2Answer, ec2Error, firstText } from './ec2-xml.ts';

/** The rules of attachments that moto lacks: the same zone, and one machine at a time. */
export class Ec2Attachments {
  /** Zones of machines and volumes, by their ids. */
  readonly #zones = new Map<string, string>();
  /** Machines by volumes. */
  readonly #attached = new Map<string, string>();

  onVm(id: string, zone: string | null): void {
    if (zone) this.#zones.set(id, zone);
  }

  onVolume(answer: string): void {
    const [id, zone] = [firstText(answer, 'volumeId'), firstText(answer, 'availabilityZone')];
    if (id && zone) this.#zones.set(id, zone);
  }

  onTerminated(vm: string): void {
    for (const [volume, at] of this.#attached) if (at === vm) this.#attached.delete(volume);
  }

  /** Null: it may be carried out, or is another action. */
  refusal({
    Action: action,
    VolumeId: volume = '',
    InstanceId: vm = '',
  }: Fields): Ec2Answer | null {
    if (action !== 'AttachVolume') return null;
    if (this.#attached.has(volume)) {
      return ec2Error(400, 'VolumeInUse', `${volume} is already attached to an instance`);
    }
    const [own, other] = [this.#zones.get(volume), this.#zones.get(vm)];
    if (!own || !other || own === other) return null;
    const message = `The volume '${volume}' is not in the same availability zone as '${vm}'`;
    return ec2Error(400, 'InvalidVolume.ZoneMismatch', message);
  }

  onAnswer(
    { Action: action, VolumeId: volume = '', InstanceId: vm = '' }: Fields,
    answer: Ec2Answer,
  ) {
    if (answer.status !== 200) return answer;
    if (action === 'AttachVolume') this.#attached.set(volume, vm);
    else this.#attached.delete(volume);
    return answer;
  }
}
