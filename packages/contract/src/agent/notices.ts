/** Notices of providers that take machines back, such as spot machines. */
import {
  amount,
  type Infer,
  line,
  list,
  mapOf,
  messageText,
  nullable,
  object,
  whole,
} from './schema-kit.ts';

const URL_LENGTH = 2000;
const Headers = mapOf(line(200), line(1000), 20);

/** Where a machine asks whether its provider takes it back. An answer other than 200 means that it does not. */
export const NoticeSource = object({
  /** Plain HTTP; no redirect is followed. */
  url: line(URL_LENGTH),
  headers: Headers,
  /** Asked for first, with PUT; its answer becomes the value of the request's `header`. Null = none. */
  token: nullable(object({ url: line(URL_LENGTH), headers: Headers, header: line(200) })),
  interval_secs: whole(3600, 1),
  /** The longest time that the provider leaves after its notice. */
  leaves_secs: whole(86_400),
  /** The whole text of the answer that is a notice; null = `at` is set. */
  equals: nullable(line(200)),
  /** Key of the answer, a JSON object, under which the time is; null = `equals` is set. */
  at: nullable(line(200)),
  /** Key under which the provider's word for what happens is; null = there is none. */
  reason: nullable(line(200)),
});
export type NoticeSource = Infer<typeof NoticeSource>;

/** Replaces the one before; sent with each connection. Without sources nothing is watched. */
export const NoticeWatch = object({ sources: list(NoticeSource, 8) });
export type NoticeWatch = Infer<typeof NoticeWatch>;

/** The provider takes the machine back. */
export const HostNotice = object({
  /** In the provider's words. */
  reason: messageText(200),
  /** The time as the provider wrote it, for people; null = it gave none. */
  at: nullable(messageText(100)),
  /** Seconds that are left when it is sent. */
  left_secs: amount,
});
export type HostNotice = Infer<typeof HostNotice>;
