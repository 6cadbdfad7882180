/** Oracle Cloud, from the data of its public cost estimator: shapes, and the products whose prices they add up to. */
import { largestKnownGpu } from '../../packages/backends/src/base/known-gpus.ts';
import { type Fields, fieldsOf, listOf, numberOf, textOf } from './fields.ts';
import type { PriceRow } from './price-row.ts';
import { entriesOf, type PriceReader } from './reader.ts';

const DATA = 'https://www.oracle.com/a/ocom/docs/cloudestimator2/data';
const MOST_ENTRIES = 20_000;
/** Two threads of a core, except of Arm. */
const THREADS = 2;
/** Older shapes name a generation instead of a model. */
const GENERATIONS: Readonly<Record<string, string>> = { GPU2: 'P100', GPU3: 'V100', GPU4: 'A100' };

interface Shape {
  readonly name: string;
  readonly isSold: boolean;
  readonly isArm: boolean;
  readonly memoryGb: number;
  readonly gpuCount: number;
  readonly gpuMemoryGb: number;
  readonly products: readonly Product[];
}

interface Product {
  readonly part: string;
  readonly kind: string;
  readonly quantity: number;
}

export const oci: PriceReader = {
  seller: 'oci',
  url: `${DATA}/shapes.json`,
  /** Prices are the same everywhere. The list has no regions: they are those of the last catalogue. */
  read: async ({ ask, known }) => {
    const shapes = listOf(fieldsOf(await ask.json(`${DATA}/shapes.json`)), 'items', MOST_ENTRIES);
    const products = listOf(
      fieldsOf(await ask.json(`${DATA}/products.json`)),
      'items',
      MOST_ENTRIES,
    );
    const prices = new Map(products.map(priceOf).filter((one) => one !== null));
    const { found, notes } = entriesOf(shapes, 'shapes', shapeOf);
    const locations = [...new Set(known.map(({ location }) => location))];
    const sold = found.filter(({ isSold }) => isSold);
    const rows = sold.map((shape) => rowOf(shape, prices));
    const unclear = sold.filter((_, at) => rows[at] === null).map(({ name }) => name);
    return {
      rows: rows.flatMap((row) =>
        row === null ? [] : locations.map((location) => ({ ...row, location })),
      ),
      notes: [
        ...notes,
        ...(unclear.length > 0 ? [`without a clear price: ${unclear.sort().join(', ')}`] : []),
      ],
    };
  },
};

/** The dollars of an hour, by part number; null: it is another kind of price. */
function priceOf(entry: unknown): [string, number] | null {
  const fields = fieldsOf(entry);
  const part = textOf(fields, 'partNumber');
  const isHourly =
    textOf(fields, 'billingModel') === 'UCM' && textOf(fields, 'pricetype') === 'HOUR';
  if (part === null || !isHourly) return null;
  const dollars = entriesIn(fields, 'currencyCodeLocalizations').find(
    (one) => textOf(one, 'currencyCode') === 'USD',
  );
  const prices = entriesIn(dollars ?? null, 'prices');
  const [price] = prices;
  const value = numberOf(price ?? null, 'value');
  const isPlain = prices.length === 1 && textOf(price ?? null, 'model') === 'PAY_AS_YOU_GO';
  return isPlain && value !== null ? [part, value] : null;
}

function entriesIn(fields: Fields | null, name: string): Fields[] {
  const value = fields?.[name];
  return Array.isArray(value) ? value.map(fieldsOf).filter((one) => one !== null) : [];
}

const wordOf = (fields: Fields | null, name: string): string | null =>
  textOf(fieldsOf(fields?.[name]), 'value');

function shapeOf(entry: unknown): Shape | null {
  const fields = fieldsOf(entry);
  const name = textOf(fields, 'name');
  const memoryGb = numberOf(fields, 'bundleMemoryQty');
  const [processor, kind, sub] = ['processorType', 'shapeType', 'subType'].map((word) =>
    wordOf(fields, word),
  );
  if (name === null || memoryGb === null || processor == null || kind == null || sub == null) {
    return null;
  }
  const gpuCount = numberOf(fields, 'gpuQty') ?? 0;
  const isSold =
    fields?.hidden !== true &&
    textOf(fields, 'status') === 'ACTIVE' &&
    ['vm', 'bm'].includes(kind) &&
    sub !== 'flexible';
  return {
    ...{ name, isSold, memoryGb, gpuCount },
    // The data calls shapes with GPUs Arm that are not.
    isArm: processor === 'arm' && sub !== 'gpu',
    gpuMemoryGb: gpuCount === 0 ? 0 : (numberOf(fields, 'gpuMemoryQty') ?? 0) / gpuCount,
    products: entriesIn(fields, 'products').map((product) => ({
      part: textOf(product, 'partNumber') ?? '',
      kind: wordOf(product, 'type') ?? '',
      quantity: numberOf(product, 'qty') ?? 0,
    })),
  };
}

/** Null: its price or its GPUs are not known. */
function rowOf(
  { name, isArm, memoryGb, gpuCount, gpuMemoryGb, products }: Shape,
  prices: ReadonlyMap<string, number>,
): PriceRow | null {
  const [product] = products;
  const price = product && prices.get(product.part);
  if (products.length !== 1 || product?.kind !== 'ocpu' || price === undefined) return null;
  const gpuName = gpuCount === 0 ? null : gpuNameOf(name);
  if (gpuCount > 0 && gpuName === null) return null;
  return {
    ...{ seller: 'oci', instanceName: name, location: '', spotPrice: null },
    price: price * (gpuCount > 0 ? gpuCount : product.quantity),
    cpus: product.quantity * (isArm ? 1 : THREADS),
    ...{ memoryGb, gpuCount, gpuName, gpuMemoryGb },
    gpuVendor: gpuName === null ? null : vendorOf(gpuName),
    cpuArch: isArm ? 'arm' : 'x86',
    ...{ diskGb: null, flags: '', moreData: '', asOf: '', source: `${DATA}/shapes.json` },
  };
}

/** `VM.GPU.A10.1`, `BM.GPU4.8`, `BM.GPU.MI300X.8`; null: the model is not known. */
function gpuNameOf(shape: string): string | null {
  const parts = shape.replaceAll('-', '.').split('.');
  const [generation] = parts.flatMap((part) => GENERATIONS[part] ?? []);
  if (generation !== undefined) return generation;
  const model = parts[parts.indexOf('GPU') + 1] ?? '';
  return parts.includes('GPU') ? (knownGpu(model)?.name ?? null) : null;
}

const knownGpu = (name: string) => largestKnownGpu('nvidia', name) ?? largestKnownGpu('amd', name);
const vendorOf = (name: string): string | null => knownGpu(name)?.vendor ?? null;
