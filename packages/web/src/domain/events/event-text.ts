/**
 * The message of an event for people: statuses and reasons, which the API has in capitals, in the words of
 * the rest of the UI.
 */
export function eventText(message: string): string {
  return message
    .replace(
      /^([A-Z][a-z]+) (status|health) changed ([A-Z_]{2,40}) -> ([A-Z_]{2,40})/,
      (_all, what: string, property: string, from: string, to: string) =>
        `${what} ${property}: ${words(from)} → ${words(to)}`,
    )
    .replace(/\. Status: ([A-Z_]{2,40})$/, (_all, status: string) => `. Status: ${words(status)}`)
    .replace(
      /Termination reason: ([A-Z_]{2,60})/,
      (_all, reason: string) => `Reason: ${words(reason)}`,
    );
}

const words = (name: string): string => name.toLowerCase().replaceAll('_', ' ');
