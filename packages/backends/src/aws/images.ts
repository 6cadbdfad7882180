/** The images from which machines boot. */
import type { Offer } from '@dstack/core';
import { SkipOfferError } from '../base/errors.ts';
import { KeptAnswer } from '../base/kept-answer.ts';
import type { Ec2, Ec2Image } from './ec2.ts';

/** An image of the configuration, in place of the default ones. */
export interface ImageChoice {
  readonly name: string;
  /** Twelve digits, or `self`. */
  readonly owner: string;
  readonly user: string;
}

export interface ImageChoices {
  readonly cpu: ImageChoice | null;
  readonly nvidia: ImageChoice | null;
}

export interface BootImage extends Ec2Image {
  /** The user who may log in. */
  readonly user: string;
}

/** The part of an offer's instance that decides. */
export interface ImageNeeds {
  readonly resources: Pick<Offer['instance']['resources'], 'gpus' | 'cpu_arch'>;
}

type Architecture = 'x86_64' | 'arm64';

const KEPT_MS = 600_000;
const CANONICAL = '099720109477';
/** Amazon's, with the driver, Docker and NVIDIA's toolkit; dstack 0.22.5 takes it too. */
const DEEP_LEARNING = '898082745236';

/** `choices`: null = the default images. */
export class Images {
  readonly #ec2: Ec2;
  readonly #choices: ImageChoices | null;
  readonly #now: () => number;
  readonly #kept = new Map<string, KeptAnswer<BootImage>>();

  constructor(ec2: Ec2, choices: ImageChoices | null, now: () => number) {
    this.#ec2 = ec2;
    this.#choices = choices;
    this.#now = now;
  }

  /** The newest image for such a machine. Throws `SkipOfferError` if there is none. */
  async of({ resources }: ImageNeeds): Promise<BootImage> {
    const kind = resources.gpus.length > 0 ? 'nvidia' : 'cpu';
    const architecture = resources.cpu_arch === 'arm' ? 'arm64' : 'x86_64';
    const key = `${kind} ${architecture}`;
    let kept = this.#kept.get(key);
    if (kept === undefined) {
      kept = new KeptAnswer(KEPT_MS, this.#now, () => this.#newest(kind, architecture));
      this.#kept.set(key, kept);
    }
    return await kept.value();
  }

  forget(): void {
    this.#kept.clear();
  }

  async #newest(kind: 'cpu' | 'nvidia', architecture: Architecture): Promise<BootImage> {
    const { name, owner, user } = this.#choice(kind, architecture);
    const images = await this.#ec2.images(owner, {
      ...{ name: [name], state: ['available'], architecture: [architecture] },
    });
    const [newest] = images.toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    if (newest) return { ...newest, user };
    throw new SkipOfferError(
      `no image ${name} of ${owner} for ${architecture} in region ${this.#ec2.region}`,
    );
  }

  #choice(kind: 'cpu' | 'nvidia', architecture: Architecture): ImageChoice {
    if (this.#choices === null) return defaultImage(kind, architecture);
    const choice = this.#choices[kind];
    if (choice) return choice;
    throw new SkipOfferError(`os_images of the configuration has no image for ${kind} machines`);
  }
}

function defaultImage(kind: 'cpu' | 'nvidia', architecture: Architecture): ImageChoice {
  const isArm = architecture === 'arm64';
  if (kind === 'cpu') {
    const name = `ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-${isArm ? 'arm64' : 'amd64'}-server-*`;
    return { name, owner: CANONICAL, user: 'ubuntu' };
  }
  const arm = isArm ? 'ARM64 Base OSS' : 'Base OSS';
  const name = `Deep Learning ${arm} Nvidia Driver GPU AMI (Ubuntu 22.04) *`;
  return { name, owner: DEEP_LEARNING, user: 'ubuntu' };
}
