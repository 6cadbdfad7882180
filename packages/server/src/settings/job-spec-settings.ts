import type { JobSpecSettings } from '@dstack/core';
import type { ServerSettings } from './settings.ts';

export function jobSpecSettings({ images }: ServerSettings): JobSpecSettings {
  return {
    baseImage: images.base,
    baseImageVersion: images.baseVersion,
    baseImageUbuntu: images.ubuntuVersion,
    dindImage: images.dind,
    defaultPython: images.python,
  };
}
