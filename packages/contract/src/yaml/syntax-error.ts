import type { YAMLParseError } from 'yaml';

/** Corrections for the most frequent syntax errors; others keep the parser's message. */
const FIXES: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'is indented with a tab: YAML requires spaces',
  BLOCK_AS_IMPLICIT_KEY:
    "has a second ': ' in one line: put the value in quotes, or move the inner map to its own line",
  BAD_SCALAR_START: 'begins with a character that is reserved in YAML: put the value in quotes',
  MULTIPLE_DOCS: "has a second document ('---'): only one document per file is read",
  MULTILINE_IMPLICIT_KEY: "has a key without a ':' after it",
  MISSING_CHAR: 'misses a closing character',
  BAD_ALIAS: 'has an alias without a name',
  DUPLICATE_KEY: 'has a key twice',
  RESOURCE_EXHAUSTION: 'is nested too deeply',
};

/** Without the line, which is reported with every problem. */
export function explainSyntaxError(error: YAMLParseError): string {
  const fix = FIXES[error.code];
  return `is not valid YAML: ${fix ? `the line ${fix}` : lowerFirst(error.message)}`;
}

function lowerFirst(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
