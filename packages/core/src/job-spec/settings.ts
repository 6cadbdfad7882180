/** Server settings that job specs depend on; see `DEFAULT_JOB_SPEC_SETTINGS`. */
export interface JobSpecSettings {
  /** `DSTACK_DOCKER_BASE_IMAGE`, `…_VERSION`, `…_UBUNTU_VERSION`. */
  readonly baseImage: string;
  readonly baseImageVersion: string;
  readonly baseImageUbuntu: string;
  /** `DSTACK_DIND_IMAGE`: the image of `docker: true`. */
  readonly dindImage: string;
  /** Python of the default image if the configuration names none. */
  readonly defaultPython: string;
}

/** Image names as in dstack 0.22.5; its default Python is that of its own process, ours is fixed. */
export const DEFAULT_JOB_SPEC_SETTINGS: JobSpecSettings = {
  baseImage: 'dstackai/base',
  baseImageVersion: '0.16',
  baseImageUbuntu: '24.04',
  dindImage: 'dstackai/dind',
  defaultPython: '3.12',
};

/** The facts that a registry reports about an image. */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** `USER`, null if the image sets none. */
  readonly user: string | null;
  /** Architectures for which the image exists. */
  readonly architectures: readonly ('x86' | 'arm')[];
}

/** The placeholder for no image in searches for offers: no registry is queried for it. */
export const SCRATCH_IMAGE = 'scratch';
