import { useTicking } from './clock.ts';
import { absoluteTime, elapsedText, momentText, relativeTimeText } from './format-time.ts';

/** A time relative to now, which ticks. The absolute time is a native title: cheap in long tables. */
export function RelativeTime({ at }: { readonly at: string }) {
  const time = Date.parse(at);
  const text = useTicking((now) => relativeTimeText(time, now));
  return (
    <time dateTime={at} title={absoluteTime(time)}>
      {text}
    </time>
  );
}

/** A time of a list that is read like a calendar: relative to now on the same day, else with its date. */
export function Moment({ at }: { readonly at: string }) {
  const time = Date.parse(at);
  const text = useTicking((now) => momentText(time, now));
  return (
    <time dateTime={at} title={absoluteTime(time)}>
      {text}
    </time>
  );
}

/** The time between two instants, or since one until now. */
export function Elapsed({ from, to }: { readonly from: string; readonly to: string | null }) {
  const start = Date.parse(from);
  const text = useTicking((now) => elapsedText((to === null ? now : Date.parse(to)) - start));
  return <span>{text}</span>;
}
