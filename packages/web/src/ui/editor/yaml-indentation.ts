const STEP = 2;

/** How far a line is indented (in columns) that follows this one, or the part of it before the cursor. */
export function indentationAfter(line: string): number {
  const indentation = line.length - line.trimStart().length;
  const content = line
    .slice(indentation)
    .replace(/(?:^|\s)#.*/, '')
    .trimEnd();
  // The keys of an item stand below its first one.
  const marker = /^(?:-\s+)+/.exec(content)?.[0].length ?? 0;
  const opens = /:(?:\s+[|>][-+\d]{0,2})?$/.test(content);
  if (opens) return indentation + marker + STEP;
  return isMapItem(content.slice(marker)) ? indentation + marker : indentation;
}

/** `name: value`, after which another key of the same item may follow. */
const isMapItem = (content: string): boolean => /^[\w.-]+:\s/.test(content);
