/** Plots of the ratios, as SVG files of the page. */
import * as echarts from "echarts";
import type { Rival } from "./races.ts";
import type { Row } from "./row.ts";
import { ratioTo } from "./row.ts";

const FOLDER = new URL("../docs/benchmarks/", import.meta.url);
const ROW_HEIGHT = 26;
const MARGIN = 90;

/** Writes `docs/benchmarks/floor.svg` and `nginx.svg`. */
export async function writePlots(rows: readonly Row[]): Promise<void> {
  await Deno.mkdir(FOLDER, { recursive: true });
  for (const rival of ["floor", "nginx"] as const) {
    await Deno.writeTextFile(new URL(`${rival}.svg`, FOLDER), plot(rows, rival));
  }
}

/** Bars of the ratios to one rival, with the span of the runs and what was to be reached. */
export function plot(rows: readonly Row[], rival: Rival): string {
  const bars = rows.flatMap((row) => {
    const ratio = ratioTo(row, rival);
    const target = row.targets.find((one) => one.rival === rival);
    return ratio ? [{ name: row.race, ratio, least: target?.least }] : [];
  });
  const height = bars.length * ROW_HEIGHT + MARGIN;
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: 760, height });
  const highest = Math.max(1.2, ...bars.map(({ ratio }) => ratio.median)) * 1.15;
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    title: { text: `Our rate over that of ${rival} (bars), and at least (lines)`, left: 10 },
    grid: { left: 140, right: 50, top: 45, bottom: 30 },
    xAxis: { type: "value", min: 0, max: Number(highest.toFixed(1)) },
    yAxis: { type: "category", inverse: true, data: bars.map(({ name }) => name) },
    series: [
      {
        type: "bar",
        barWidth: 14,
        data: bars.map(({ ratio, least }) => ({
          value: Number(ratio.median.toFixed(2)),
          itemStyle: { color: (least ?? 0) <= ratio.median ? "#2f7d4f" : "#c2571a" },
        })),
        label: { show: true, position: "right" },
      },
      {
        type: "scatter",
        symbol: "rect",
        symbolSize: [2, 20],
        itemStyle: { color: "#1a1a1a" },
        data: bars.flatMap(({ least }, n) => least === undefined ? [] : [[least, n]]),
      },
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
