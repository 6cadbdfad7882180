/**
 * The code and schemas that only models of Text Generation Inference need. Loaded with the first such model, and not with
 * its first request: a worker outlives an upgrade, by which the files of its program are replaced.
 */
export const translation = () =>
  Promise.all([import('./chat-request.ts'), import('./tgi-model.ts')]);
