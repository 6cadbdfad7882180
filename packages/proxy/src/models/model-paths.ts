/** Paths of OpenAI's API that are requests to a model; others, such as files, belong to no model. */
const PATHS: ReadonlySet<string> = new Set([
  ...['chat/completions', 'completions', 'embeddings', 'responses', 'moderations'],
  ...['audio/speech', 'audio/transcriptions', 'audio/translations'],
  ...['images/generations', 'images/edits', 'images/variations'],
  // vLLM, Text Embeddings Inference and others have added these paths.
  ...['rerank', 'score', 'pooling', 'classify'],
]);

/** Whether the path belongs to Anthropic's API, by which no model is served. */
export function isMessagesPath(rest: string): boolean {
  return /^(v1\/)?messages(\/|$)/.test(rest);
}

/** The refusal in the form that clients of Anthropic's API read. */
export const NO_MESSAGES = {
  type: 'error',
  error: {
    type: 'not_found_error',
    message:
      "Models are served by OpenAI's API here, not by Anthropic's: use /v1/chat/completions, or the address of the service itself if its app has /v1/messages",
  },
};

/** Clients with a base URL that ends in `/v1` find the same paths. */
export function modelPath(rest: string): string | null {
  const path = rest.startsWith('v1/') ? rest.slice(3) : rest;
  return PATHS.has(path) ? path : null;
}

/**
 * Whether a request to the address of a service, with this path and query, is one to its model. The path counts as
 * many apps read it: decoded, and without empty segments and dots. Apps may serve Anthropic's API too.
 */
export function isUseOfModel(target: string, prefix: string): boolean {
  const [path = ''] = target.split('?', 1);
  const [segments, base] = [segmentsOf(path), segmentsOf(prefix)];
  if (!base.every((segment, index) => segments[index] === segment)) return false;
  const rest = segments.slice(base.length).join('/');
  return modelPath(rest) !== null || /^(v1\/)?messages$/.test(rest);
}

function segmentsOf(path: string): readonly string[] {
  const segments: string[] = [];
  for (const segment of decoded(path).split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return segments;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // No encoding of UTF-8: the app alone knows how to read it.
    return path;
  }
}
