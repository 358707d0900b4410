import { useEffect, useRef } from "react";
import { readPalette } from "../state/colors.ts";
import { useMoment, usePage } from "../state/context.ts";
import { clock, duration } from "../state/format.ts";

const SPEEDS = [1, 4, 16, 64];
const HEIGHT_PX = 34;
/** Marks closer to each other than this are one. */
const MARK_PX = 3;

/** Blocks as a density, splits as bands, and what is worth finding as marks. */
function useStrip() {
  const { store } = usePage();
  const canvas = useRef<HTMLCanvasElement>(null);
  const moment = useMoment();
  const { model, version } = moment;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the model is one object for ever, and its version says that it has changed
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context) return;
    const paint = (): void => {
      const width = element.clientWidth;
      const ratio = Math.min(devicePixelRatio, 3);
      element.width = Math.round(width * ratio);
      element.height = HEIGHT_PX * ratio;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      const palette = readPalette();
      const { startMs, endMs, tree, splits, marks } = model;
      const span = Math.max(1, endMs - startMs);
      const xOf = (timeMs: number): number => ((timeMs - startMs) / span) * width;
      context.globalAlpha = 0.2;
      context.fillStyle = palette.warn;
      for (let i = 0; i < splits.length; i++) {
        if (splits.values[i] === null) continue;
        const from = xOf(splits.times[i] ?? startMs);
        const to = xOf(splits.times[i + 1] ?? endMs);
        context.fillRect(from, 0, Math.max(2, to - from), HEIGHT_PX);
      }
      context.globalAlpha = 1;
      const columns = new Uint16Array(Math.max(1, Math.ceil(width / 3)));
      let most = 1;
      for (const { firstSeenMs } of tree.blocks) {
        if (firstSeenMs === Number.POSITIVE_INFINITY) continue;
        const at = Math.min(columns.length - 1, Math.floor(xOf(firstSeenMs) / 3));
        columns[at] = (columns[at] ?? 0) + 1;
        most = Math.max(most, columns[at] ?? 0);
      }
      context.fillStyle = palette.muted;
      context.globalAlpha = 0.5;
      columns.forEach((blocks, i) => {
        if (blocks > 0)
          context.fillRect(i * 3, HEIGHT_PX - 2 - (blocks / most) * 12, 2, (blocks / most) * 12);
      });
      context.globalAlpha = 1;
      const lastAt = new Map<string, number>();
      for (const { timeMs, kind } of marks) {
        const x = xOf(timeMs);
        if (x - (lastAt.get(kind) ?? -MARK_PX) < MARK_PX) continue;
        lastAt.set(kind, x);
        context.fillStyle =
          kind === "reorg"
            ? palette.bad
            : kind === "split"
              ? palette.warn
              : kind === "gone"
                ? palette.muted
                : palette.good;
        if (kind === "reorg") {
          context.beginPath();
          context.moveTo(x, 4);
          context.lineTo(x + 4, 8);
          context.lineTo(x, 12);
          context.lineTo(x - 4, 8);
          context.fill();
        } else context.fillRect(x - 1, 2, 2, 12);
      }
    };
    paint();
    const resize = new ResizeObserver(paint);
    resize.observe(element);
    const theme = new MutationObserver(paint);
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      resize.disconnect();
      theme.disconnect();
    };
  }, [model, version]);
  return { canvas, moment, store };
}

/** Any moment of the recording: a slider over all of it, and the way from one event to the next. */
export function Timeline() {
  const { canvas, moment, store } = useStrip();
  const { model, timeMs, isLive, speed, connection } = moment;
  const { startMs, endMs, marks } = model;
  const isEmpty = endMs === 0;
  const canBeLive = connection.state !== "recorded";
  const next = marks.find((mark) => mark.timeMs > timeMs);
  const previous = marks.findLast((mark) => mark.timeMs < timeMs);
  const behindMs = endMs - timeMs;
  const label = isEmpty ? "–" : clock(timeMs);
  const playSpeed = speed > 0 ? speed : 4;

  return (
    <section className="timeline" aria-label="Time">
      <div className="timeline-controls">
        {canBeLive && (
          <button type="button" className="live" aria-pressed={isLive} onClick={() => store.seek(null)}>
            <span className="dot" aria-hidden="true" />
            live
          </button>
        )}
        <button
          type="button"
          disabled={isEmpty}
          aria-label="Event before"
          title="Event before"
          onClick={() => store.seek(previous === undefined ? startMs : previous.timeMs)}
        >
          ⇤
        </button>
        <button
          type="button"
          disabled={isEmpty}
          aria-label={speed > 0 ? "Pause" : "Play"}
          title={speed > 0 ? "Pause" : "Play"}
          onClick={() => store.play(speed > 0 ? 0 : playSpeed)}
        >
          {speed > 0 ? "❚❚" : "▶"}
        </button>
        <button
          type="button"
          disabled={isEmpty}
          aria-label="Event after"
          title="Event after"
          onClick={() => store.seek(next === undefined ? (canBeLive ? null : endMs) : next.timeMs)}
        >
          ⇥
        </button>
        <label className="speed">
          <span className="visually-hidden">Speed</span>
          <select
            value={playSpeed}
            onChange={({ target }) => store.play(Number(target.value))}
            disabled={isEmpty}
          >
            {SPEEDS.map((each) => (
              <option key={each} value={each}>
                {each}×
              </option>
            ))}
          </select>
        </label>
        <output className="clock">
          <span className="number">{label}</span>
          <span className="muted number">{isLive || behindMs === 0 ? "" : `−${duration(behindMs)}`}</span>
        </output>
      </div>
      <div className="strip">
        <div aria-hidden="true">
          <canvas ref={canvas} />
        </div>
        <input
          type="range"
          aria-label="Moment shown"
          aria-valuetext={isLive ? `live, ${label}` : label}
          disabled={isEmpty}
          min={startMs}
          max={Math.max(endMs, startMs + 1)}
          step={1}
          value={timeMs}
          onChange={({ target }) => store.seek(Number(target.value))}
        />
      </div>
    </section>
  );
}
