/** Values in messages of gateways. */
import * as z from 'zod/mini';
import { amount, whole } from './schema-kit.ts';

/** A name in DNS, lower case; the only form that reaches the configuration of nginx. */
export const HostName = z
  .string('is not a string')
  .check(
    z.regex(
      /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
      'is not a host name',
    ),
  );

export const Port = whole(65_535, 1);
export const MOST_GATEWAY_SERVICES = 10_000;
export const MOST_REPLICAS_SENT = 10_000;

/** Far more than a gateway can count, and small enough that sums of them stay exact. */
export const anyCount = whole(1_000_000_000_000);
/** Requests at one moment, or within some seconds. */
export const momentary = whole(10_000_000);
/** From 0 to 1. */
export const part = amount.check(z.maximum(1, 'is more than a whole'));
/** Milliseconds since the epoch that are a date. */
export const instant = whole(8_640_000_000_000_000);
