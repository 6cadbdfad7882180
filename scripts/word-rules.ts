/** The words that names and prose must not use, with the word to use instead; see `docs/glossary.md`. */

/** Words of a name, in lower case, separated by blanks, and what to write instead. */
const NAMES: Readonly<Record<string, string>> = {
  provider: 'backend',
  chance: 'offer',
  machine: 'instance, host or serverHost',
  'own host': 'sshHost',
  'own machine': 'serverHost',
  visit: 'link',
  seat: 'slot',
  promote: 'adopt',
  'take on': 'adopt',
  bury: 'terminate or reap',
  buries: 'terminate or reap',
  buried: 'terminated',
  gone: 'deleted, exited or missing',
  chime: 'signal or notify',
  tell: 'notify, signal or report',
  told: 'notified or reported',
  hear: 'on… or receive',
  heard: 'received',
  say: 'report or print',
  said: 'reported or printed',
  words: 'errorMessage or text',
  passage: 'tunnel or admittedRequest',
  trait: 'capabilities',
  leniency: 'createFallbacks',
  silent: 'unreachable',
  lent: 'imported',
  lend: 'export',
};

/** Programs report, receive, store, require and request. */
const PROGRAM_SPEAKS =
  /\b(servers?|agents?|hosts?|jobs?|runs?|clients?|programs?|backends?|databases?|proxy|stores?) (knows?|wants?|thinks?|believes?|remembers?|minds?)\b/i;

/** Riddles, and what to write instead. */
const PHRASES: readonly (readonly [RegExp, string])[] = [
  [/\b(tell|tells|told|telling)\b/i, 'report, notify, print or distinguish'],
  [/\b(hear|hears|heard|unheard)\b/i, 'receive or detect'],
  [/\bchim(e|es|ed)\b/i, 'signal or notify'],
  [/\bbur(y|ies|ied)\b/i, 'terminate or remove'],
  [/\b(lent|lend|lends|lending)\b/i, 'imported or exported'],
  [/\bown (hosts?|machines?)\b/i, "SSH hosts, or the server's machine"],
  [/\b(hosts?|machines?) of (one|its|his|their|your)['’]?s? own\b/i, 'SSH hosts'],
  [/\bthis machine\b/i, "the server's machine, or this computer"],
  [/\bout of reach\b/i, 'unreachable'],
  [/\bpassages?\b/i, 'tunnel, or admitted request'],
  [/\btraits?\b/i, 'capabilities'],
  [/\bleniency\b/i, 'fallbacks'],
  [/\bseats?\b/i, 'slot'],
  [/\b(last|own|server['’]s|machine['’]s) words\b/i, 'error or message'],
  [/\b(without|no|a further|for the) word\b|\bword (of|from) (it|an|the|another)\b/i, 'report'],
  [/\bgone\b/i, 'deleted, exited, removed or missing'],
  [/\b(counts?|is|are|goes|runs) no more\b/i, 'no longer'],
  [/\bwakes nobody\b|\bis nobody['’]s business\b/i, 'name what does not happen'],
  [/\b(was|were) had\b|\bto be had\b/i, 'available or provisioned'],
  [
    /\b(whoever|nobody|somebody|anybody|everybody)\b/i,
    'name the actor: a user, a job, another process',
  ],
  [/\bfrom here on\b/i, 'name the consequence'],
  [/\bother people['’]s code\b/i, 'untrusted code'],
  [/\b(says|said)\b/i, 'report, contain or print'],
  [PROGRAM_SPEAKS, 'a verb of what the program does'],
  [/\b(that|which|it) (is|are) no (?!longer|more)\w/i, 'is not a …'],
];

export interface Finding {
  readonly line: number;
  /** The word or phrase found. */
  readonly found: string;
  readonly instead: string;
}

/** The forbidden words of a name; of `Type.member` only the member is read. */
export function nameFindings(name: string): Omit<Finding, 'line'>[] {
  const words = ` ${wordsOfName(name.split('.').at(-1) ?? '').join(' ')} `;
  return Object.entries(NAMES).flatMap(([word, instead]) =>
    words.includes(` ${word} `) || words.includes(` ${word}s `) ? [{ found: word, instead }] : [],
  );
}

export function proseFindings(text: string): Omit<Finding, 'line'>[] {
  return PHRASES.flatMap(([pattern, instead]) => {
    const found = pattern.exec(text)?.[0];
    return found === undefined ? [] : [{ found: found.toLowerCase(), instead }];
  });
}

/** `lastWordsOfSSH` is `last words of ssh`. */
function wordsOfName(name: string): string[] {
  return name
    .replaceAll(/([a-z\d])([A-Z])|([A-Z])([A-Z][a-z])/g, '$1$3 $2$4')
    .toLowerCase()
    .split(/[\s_]+/);
}
