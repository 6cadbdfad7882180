/** One line of a chart; `values` are parallel to the chart's times. */
export interface ChartSeries {
  readonly label: string;
  readonly values: readonly (number | null)[];
}

/** A line, and those between which the chart is filled around it, by their places in `series`. */
export interface ChartBand {
  readonly line: number;
  readonly high: number;
  readonly low: number;
}

export interface ChartData {
  /** The job of these measurements, where charts of several jobs stand together. */
  readonly job?: string;
  readonly title: string;
  /** Seconds since 1970, rising, or what `timeText` shows. */
  readonly times: readonly number[];
  /** Shows times that are not those of a day. */
  readonly timeText?: (seconds: number) => string;
  readonly series: readonly ChartSeries[];
  /** The top of the axis; null: as the values need. */
  readonly max: number | null;
  /** How much there is of it, in the unit of the values; null: unknown. */
  readonly capacity?: number | null;
  /** The unit of the values; shares are drawn as percent. */
  readonly unit: '%' | 'bytes';
  readonly format: (value: number) => string;
  readonly bands?: readonly ChartBand[];
}
