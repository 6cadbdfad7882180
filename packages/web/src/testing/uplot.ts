/** In place of the drawing library: the simulated browser has no canvas. */
export default class {
  setSize(): void {}
  setData(): void {}
  destroy(): void {}
}
