/** Whether a client accepts an encoding, by its header `Accept-Encoding`. */
export function acceptsEncoding(header: string, encoding: string): boolean {
  return header.split(',').some((part) => {
    const [name = '', ...parameters] = part.split(';');
    const isRefused = parameters.some((parameter) => /^\s*q=0(\.0*)?\s*$/.test(parameter));
    return name.trim().toLowerCase() === encoding && !isRefused;
  });
}
