/** The effect cannot be carried out now; it is tried again, or taken up when what it waits for comes. */
export class NotNow extends Error {
  override name = 'NotNow';
}
