/** In place of the drawing library: the simulated browser has no canvas. */
export default class {
  readonly cursor = { idx: null };
  setSize(): void {}
  setLegend(): void {}
  setData(): void {}
  destroy(): void {}
}
