/** Lines of shell examples that call dstack, as readers copy them. */
export function shellLines(markdown: string): string[] {
  const fenced = [...markdown.matchAll(/^ *```(?:shell|bash|sh)\n([\s\S]*?)^ *```/gm)].flatMap(
    ([, block = '']) => block.replace(/\\\n\s*/g, ' ').split('\n'),
  );
  const indented = [...markdown.matchAll(/^ {4}(?:\$ )?((?:dstack|tar) .*)$/gm)].map(
    ([, line = '']) => line,
  );
  return [...fenced, ...indented]
    .map((line) => line.replace(/\s#\s.*$/, '').trim())
    .filter((line) => /(^|[|&;] *)dstack [a-z]/.test(line) && !line.includes('…'));
}
