/** Paths of OpenAI's API that are requests to a model; others, such as files, belong to no model. */
const PATHS: ReadonlySet<string> = new Set([
  ...['chat/completions', 'completions', 'embeddings', 'responses', 'moderations'],
  ...['audio/speech', 'audio/transcriptions', 'audio/translations'],
  ...['images/generations', 'images/edits', 'images/variations'],
  // Of vLLM, Text Embeddings Inference and others.
  ...['rerank', 'score', 'pooling', 'classify'],
]);

/** Clients with a base URL that ends in `/v1` find the same paths. */
export function modelPath(rest: string): string | null {
  const path = rest.startsWith('v1/') ? rest.slice(3) : rest;
  return PATHS.has(path) ? path : null;
}
