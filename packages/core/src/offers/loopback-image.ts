import { splitImageName } from '@dstack/contract/image-name';

/** `localhost`, and addresses that lead to the computer itself. */
const LOOPBACK = /^(localhost|.+\.localhost|127\.[\d.]+|0\.0\.0\.0|\[::1?\])\.?(:\d+)?$/i;

/** Whether the registry of an image is, by its name, on the loopback of the host that pulls it. */
export function isLoopbackImage(image: string): boolean {
  const { registryHost } = splitImageName(image);
  return registryHost !== null && LOOPBACK.test(registryHost);
}
