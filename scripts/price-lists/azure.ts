/**
 * Azure, from the public retail prices. They have no sizes, so prices are read of the types that the last
 * catalogue has.
 */
import { fieldsOf, listOf, numberOf, textOf } from './fields.ts';
import type { PriceRow } from './price-row.ts';
import { entriesOf, type PriceReader, type ReaderInput, wantsLocation } from './reader.ts';

const URL_OF_PRICES = 'https://prices.azure.com/api/retail/prices';
const VERSION = '2023-01-01-preview';
/** A type has a few prices in each of some sixty regions. */
const MOST_PAGES = 20;
const PAGE = 1000;
/** Prices of other products that have the same machine. */
const OTHERS = ['Windows', 'Cloud Services', 'Dedicated', 'Low Priority'];
const GOVERNMENT = ['usgov', 'usdod', 'ussec', 'usnat'];
const TYPE = /^\w{1,60}$/;

interface Meter {
  readonly location: string;
  readonly price: number;
  readonly isSpot: boolean;
  /** It is the price of a machine with Linux by the hour. */
  readonly isWanted: boolean;
}

export const azure: PriceReader = {
  seller: 'azure',
  url: URL_OF_PRICES,
  read: async (input) => {
    const types = new Map(input.known.map((row) => [row.instanceName, row]));
    const rows: PriceRow[] = [];
    const notes: string[] = [];
    for (const [name, like] of types) {
      if (!TYPE.test(name)) throw new Error(`${name} is no name of a type`);
      const { meters, odd } = await metersOf(input, name);
      const { priced, unclear } = pricesOf(meters);
      rows.push(
        ...priced.map((prices) => ({ ...like, ...prices, asOf: '', source: URL_OF_PRICES })),
      );
      notes.push(...odd);
      if (unclear.length > 0)
        notes.push(`${name} has more than one price in ${unclear.join(', ')}`);
    }
    return { rows, notes };
  },
};

async function metersOf(input: ReaderInput, name: string) {
  const wants = wantsLocation(input);
  const filter = `serviceName eq 'Virtual Machines' and priceType eq 'Consumption' and armSkuName eq '${name}'`;
  const meters: Meter[] = [];
  const odd: string[] = [];
  let url = new URL(URL_OF_PRICES);
  url.search = new URLSearchParams({ 'api-version': VERSION, $filter: filter }).toString();
  for (let page = 0; page < MOST_PAGES; page++) {
    const answer = fieldsOf(await input.ask.json(url.href));
    const { found, notes } = entriesOf(listOf(answer, 'Items', PAGE), `prices of ${name}`, meterOf);
    meters.push(...found.filter(({ isWanted, location }) => isWanted && wants(location)));
    odd.push(...notes);
    const next = answer?.NextPageLink;
    if (typeof next !== 'string' || next === '') return { meters, odd };
    url = new URL(next);
    if (url.hostname !== new URL(URL_OF_PRICES).hostname || url.protocol !== 'https:') {
      throw new Error(`the next page of ${name} is at ${url.hostname}`);
    }
  }
  throw new Error(`${name} has more than ${MOST_PAGES} pages of prices`);
}

function meterOf(entry: unknown): Meter | null {
  const fields = fieldsOf(entry);
  const location = textOf(fields, 'armRegionName');
  const price = numberOf(fields, 'retailPrice');
  const [product, meter, sku] = ['productName', 'meterName', 'skuName'].map((name) =>
    textOf(fields, name),
  );
  if (location === null || price === null || product == null || meter == null || sku == null) {
    return null;
  }
  const words = `${product} ${meter} ${sku}`;
  const isHourly =
    textOf(fields, 'unitOfMeasure') === '1 Hour' &&
    textOf(fields, 'currencyCode') === 'USD' &&
    textOf(fields, 'type') === 'Consumption';
  const isOther =
    OTHERS.some((word) => words.includes(word)) ||
    GOVERNMENT.some((start) => location.startsWith(start));
  const isWanted = isHourly && !isOther && location !== '' && price > 0;
  return { location, price, isSpot: words.includes('Spot'), isWanted };
}

/** A location with two different prices of one kind has none. */
function pricesOf(meters: readonly Meter[]) {
  const byLocation = Map.groupBy(meters, ({ location }) => location);
  const unclear: string[] = [];
  const priced = [...byLocation].flatMap(([location, all]) => {
    const different = (isSpot: boolean) => [
      ...new Set(all.filter((one) => one.isSpot === isSpot).map(({ price }) => price)),
    ];
    const [onDemand, spot] = [different(false), different(true)];
    if (onDemand.length > 1 || spot.length > 1) {
      unclear.push(location);
      return [];
    }
    return [{ location, price: onDemand[0] ?? null, spotPrice: spot[0] ?? null }];
  });
  return { priced, unclear: unclear.sort() };
}
