declare const __DSTACK_VERSION__: string | undefined;

/** The product's version; the build inserts it. */
export const PRODUCT_VERSION: string =
  typeof __DSTACK_VERSION__ === 'string' ? __DSTACK_VERSION__ : 'development';
