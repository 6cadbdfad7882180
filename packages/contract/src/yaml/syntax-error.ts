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

export function explainSyntaxError(error: YAMLParseError, text: string): string {
  const line = text.slice(0, error.pos[0]).split('\n').length;
  const fix = FIXES[error.code];
  const detail = fix ?? lowerFirst(error.message);
  return `is not valid YAML: line ${line} ${fix ? detail : `- ${detail}`}`;
}

function lowerFirst(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
