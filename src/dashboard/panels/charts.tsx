import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { bestHead, branch, convergences, type RecordingModel } from "../../client/index.ts";
import { readPalette } from "../state/colors.ts";
import { useMoment } from "../state/context.ts";
import { compact, duration } from "../state/format.ts";

/** Blocks in a chart. */
const MAX_BLOCKS = 120;
/** Blocks over which a hash rate is taken; one interval says nothing of it. */
const RATE_BLOCKS = 10;
const HEIGHT_PX = 118;

interface Series {
  readonly x: number[];
  readonly y: (number | null)[];
}

interface Measures {
  readonly interval: Series;
  readonly hashRate: Series;
  readonly propagation: Series;
  readonly reorgs: Series;
}

/** What the best chain's last blocks say at a moment. */
function measure(model: RecordingModel, timeMs: number): Measures {
  const blocks = branch(model, bestHead(model, timeMs), MAX_BLOCKS).filter(
    ({ timestampMs }) => timestampMs !== undefined,
  );
  const x = blocks.map(({ height }) => height);
  const stampOf = (i: number): number => blocks[i]?.timestampMs ?? 0;
  const interval = blocks.map((_, i) => (i === 0 ? null : (stampOf(i) - stampOf(i - 1)) / 1_000));
  const hashRate = blocks.map((_, i) => {
    const from = Math.max(0, i - RATE_BLOCKS);
    if (i - from < 2) return null;
    const tries = blocks
      .slice(from + 1, i + 1)
      .reduce((sum, { difficulty = "0" }) => sum + Number(BigInt(`0x${difficulty}`)), 0);
    return tries / Math.max(0.001, (stampOf(i) - stampOf(from)) / 1_000);
  });
  const propagation = blocks.map(({ index }) => model.propagationMs(index, timeMs) ?? null);
  const past = model.reorgs.filter((reorg) => reorg.timeMs <= timeMs).slice(-MAX_BLOCKS);
  return {
    interval: { x, y: interval },
    hashRate: { x, y: hashRate },
    propagation: { x, y: propagation },
    reorgs: { x: past.map((_, i) => i + 1), y: past.map(({ data }) => data.depth) },
  };
}

function optionsOf(width: number, isBars: boolean): uPlot.Options {
  const palette = readPalette();
  const axis = {
    stroke: palette.muted,
    font: "10px ui-sans-serif, system-ui, sans-serif",
    grid: { stroke: palette.line, width: 1 },
    ticks: { show: false },
  };
  const bars = uPlot.paths.bars?.({ size: [0.6, 14] });
  return {
    width,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    padding: [6, 12, 0, 0],
    scales: { x: { time: false }, y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.12 : 1] } },
    axes: [
      {
        ...axis,
        size: 20,
        space: 60,
        grid: { show: false },
        values: (_plot, values) =>
          values.map((value) => (Number.isInteger(value) ? value.toLocaleString("en") : "")),
      },
      {
        ...axis,
        size: 40,
        space: 32,
        values: (_plot, values) => values.map((value) => (value === 0 ? "0" : compact(value))),
      },
    ],
    series: [
      {},
      {
        stroke: isBars ? palette.bad : palette.accent,
        fill: isBars ? `${palette.bad}99` : `${palette.accent}22`,
        width: 1.5,
        points: { show: false },
        spanGaps: true,
        ...(isBars && bars !== undefined ? { paths: bars } : {}),
      },
    ],
  };
}

function Chart(props: {
  readonly title: string;
  readonly unit: string;
  readonly latest: string;
  readonly series: Series;
  readonly isBars?: boolean;
}) {
  const { title, unit, latest, series, isBars = false } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const data = useRef(series);
  data.current = series;
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const make = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(
        optionsOf(element.clientWidth, isBars),
        [data.current.x, data.current.y],
        element,
      );
    };
    make();
    const resize = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT_PX }),
    );
    resize.observe(element);
    const theme = new MutationObserver(make);
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", make);
    return () => {
      resize.disconnect();
      theme.disconnect();
      scheme.removeEventListener("change", make);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [isBars]);
  useEffect(() => {
    plot.current?.setData([series.x, series.y]);
  }, [series]);
  return (
    <figure className="chart">
      <figcaption>
        {title} <span className="muted">{unit}</span>
        <span className="latest number">{latest}</span>
      </figcaption>
      <div ref={box} className="plot" aria-hidden="true" />
    </figure>
  );
}

const last = ({ y }: Series): number | null => y.findLast((value) => value !== null) ?? null;
const told = (value: number | null, words: (value: number) => string): string =>
  value === null ? "–" : words(value);

/** Interval, hash rate, propagation and depth of reorgs, up to the moment shown. */
export function Charts() {
  const { model, timeMs } = useMoment();
  const { interval, hashRate, propagation, reorgs } = measure(model, timeMs);
  const healed = convergences(model, timeMs).at(-1);
  return (
    <section className="panel charts" aria-labelledby="charts-title">
      <h2 id="charts-title">
        Measures
        {healed !== undefined && (
          <span className="muted">
            {healed.tookMs === null
              ? "not yet converged after the heal"
              : `converged ${duration(healed.tookMs)} after the heal`}
          </span>
        )}
      </h2>
      <div className="chart-grid">
        <Chart
          title="Block interval"
          unit="s"
          latest={told(last(interval), (value) => `${value.toFixed(1)} s`)}
          series={interval}
        />
        <Chart
          title="Hash rate"
          unit="H/s"
          latest={told(last(hashRate), (value) => `${compact(value)}H/s`.replace(/(\d)H/, "$1 H"))}
          series={hashRate}
        />
        <Chart
          title="Propagation"
          unit="ms"
          latest={told(last(propagation), duration)}
          series={propagation}
        />
        <Chart title="Reorg depth" unit="blocks" latest={told(last(reorgs), String)} series={reorgs} isBars />
      </div>
    </section>
  );
}
