import type { RecordedBlock, RecordingModel } from "../../client/index.ts";
import { INK, nodeColor, type Palette } from "../state/colors.ts";
import { blockSize, type Camera, xOf } from "./camera.ts";
import type { Motion } from "./motion.ts";
import type { HeadGroup, Scene } from "./scene.ts";

export interface Surface {
  readonly context: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
  readonly palette: Palette;
}

export interface Marked {
  readonly hovered: number | undefined;
  readonly selected: number | undefined;
  /** Whether the keyboard is here, so that the selection must be seen. */
  readonly isFocused: boolean;
}

const FONT = "ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, monospace";
const AXIS_PX = 22;
/** Heights closer to each other than this are drawn as bars. */
const SMALL_PX = 6;
const TAG_PX = 17;
/** A row of tags above another, and how many rows at most: then those of the lane above begin. */
const LIFT_PX = TAG_PX + 1;
const MAX_LIFTS = 3;
/** More heads at one block than this are told as a number. */
const MAX_TAGS = 4;

/** Heights at round numbers, some 90 px apart. */
function drawAxis({ context, width, height, palette }: Surface, camera: Camera, lowest: number): void {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000];
  const step = steps.find((each) => each * camera.scale >= 64) ?? 100_000;
  const first = Math.max(lowest, Math.ceil(camera.left / step) * step);
  context.font = `11px ${FONT}`;
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.lineWidth = 1;
  for (let at = Math.ceil(first / step) * step; xOf(camera, at) <= width; at += step) {
    const x = Math.round(xOf(camera, at)) + 0.5;
    context.strokeStyle = palette.line;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, height - AXIS_PX);
    context.stroke();
    context.fillStyle = palette.muted;
    context.fillText(at.toLocaleString("en"), x, height - 7);
  }
}

function edge(context: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number): void {
  context.moveTo(x0, y0);
  if (Math.abs(y0 - y1) < 0.5) {
    context.lineTo(x1, y1);
    return;
  }
  const bend = Math.min(x1 - x0, 40);
  context.bezierCurveTo(x0 + bend * 0.6, y0, x0 + bend * 0.4, y1, x0 + bend, y1);
  if (bend < x1 - x0) context.lineTo(x1, y1);
}

/** Two strokes for all: what is on a best chain, and what is not. */
function drawEdges(
  surface: Surface,
  camera: Camera,
  model: RecordingModel,
  scene: Scene,
  yOf: (lane: number) => number,
): void {
  const { context, palette } = surface;
  for (const isBest of [false, true]) {
    context.beginPath();
    for (const block of scene.blocks) {
      if (scene.best.has(block.index) !== isBest) continue;
      const parent = model.tree.blocks[block.parent];
      if (parent === undefined) continue;
      // From far away a branch is its blocks, side by side.
      if (camera.scale < SMALL_PX && parent.lane === block.lane) continue;
      edge(context, xOf(camera, parent.height), yOf(parent.lane), xOf(camera, block.height), yOf(block.lane));
    }
    context.strokeStyle = isBest ? palette.muted : palette.line;
    const isFar = camera.scale < SMALL_PX;
    context.lineWidth = isFar ? 1 : isBest ? 2 : 1.75;
    context.globalAlpha = isFar ? 0.22 : isBest ? 0.75 : 1;
    context.stroke();
  }
  context.globalAlpha = 1;
}

function drawBlock(
  { context, palette }: Surface,
  block: RecordedBlock,
  at: { readonly x: number; readonly y: number; readonly size: number },
  look: {
    readonly color: string;
    readonly light: number;
    readonly isHollow: boolean;
    readonly pulse: number;
    readonly isOut: boolean;
  },
): void {
  const { x, y, size } = at;
  const half = size / 2;
  const radius = Math.min(7, size * 0.26);
  if (look.pulse > 0) {
    context.beginPath();
    context.roundRect(x - half - 5, y - half - 5, size + 10, size + 10, radius + 4);
    context.strokeStyle = look.isOut ? palette.bad : palette.good;
    context.globalAlpha = look.pulse;
    context.lineWidth = 2.5;
    context.stroke();
  }
  context.beginPath();
  if (size < 6) context.rect(x - half, y - half, size, size);
  else context.roundRect(x - half, y - half, size, size, radius);
  context.globalAlpha = 1;
  context.fillStyle = palette.surface;
  context.fill();
  context.globalAlpha = 0.16 + 0.84 * look.light;
  if (!look.isHollow) {
    context.fillStyle = look.color;
    context.fill();
  }
  context.globalAlpha = 0.4 + 0.6 * look.light;
  if (size >= 6 && (look.isHollow || look.light < 0.9)) {
    context.strokeStyle = look.color;
    context.lineWidth = 1.5;
    context.stroke();
  }
  context.globalAlpha = 1;
  if (block.isInvalid && size >= 6) {
    context.beginPath();
    context.moveTo(x - half, y - half);
    context.lineTo(x + half, y + half);
    context.moveTo(x + half, y - half);
    context.lineTo(x - half, y + half);
    context.strokeStyle = palette.bad;
    context.lineWidth = 2;
    context.stroke();
  } else if (size >= 22 && (block.transactions ?? 0) > 0) {
    context.fillStyle = look.light > 0.6 ? INK : palette.muted;
    context.font = `600 11px ${FONT}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(String(block.transactions), x, y + 0.5);
  }
}

function ring({ context, palette }: Surface, x: number, y: number, size: number, isStrong: boolean): void {
  const half = size / 2 + 4;
  context.beginPath();
  context.roundRect(x - half, y - half, 2 * half, 2 * half, Math.min(10, size * 0.36) + 2);
  context.strokeStyle = isStrong ? palette.accent : palette.muted;
  context.lineWidth = isStrong ? 2.5 : 1.5;
  context.stroke();
}

function tag(
  { context, palette }: Surface,
  x: number,
  y: number,
  text: string,
  color: string,
  isGone: boolean,
): void {
  context.font = `700 11px ${FONT}`;
  const width = Math.max(TAG_PX, context.measureText(text).width + 8);
  context.beginPath();
  context.roundRect(x - width / 2, y - TAG_PX / 2, width, TAG_PX, TAG_PX / 2);
  context.fillStyle = isGone ? palette.surface : color;
  context.fill();
  context.lineWidth = 1.5;
  context.setLineDash(isGone ? [2.5, 2] : []);
  context.strokeStyle = isGone ? palette.muted : palette.surface;
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = isGone ? palette.muted : INK;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, x, y + 0.5);
}

/** The nodes' numbers over their heads; each travels by itself when its head moves. */
function drawHeads(
  surface: Surface,
  heads: readonly HeadGroup[],
  place: (n: number, block: RecordedBlock, offset: number) => { readonly x: number; readonly y: number },
): void {
  const { palette } = surface;
  const taken: { readonly x: number; readonly y: number; readonly half: number }[] = [];
  /** How far up tags of a width must go so as not to lie on others, as heads of nearby heights do from far away. */
  function liftOf(x: number, y: number, half: number): number {
    let lift = 0;
    const isTaken = (): boolean =>
      taken.some((box) => Math.abs(box.x - x) < box.half + half && Math.abs(box.y - y + lift) < TAG_PX);
    while (isTaken() && lift < MAX_LIFTS * LIFT_PX) lift += LIFT_PX;
    taken.push({ x, y: y - lift, half });
    return lift;
  }
  for (const { block, running, gone } of heads) {
    const tags: { n: number; isGone: boolean }[] = [
      ...running.map((n) => ({ n, isGone: false })),
      ...gone.map((n) => ({ n, isGone: true })),
    ];
    if (tags.length > MAX_TAGS) {
      const { x, y } = place(tags[0]?.n ?? 0, block, 0);
      const text = `${tags.length} nodes`;
      tag(
        surface,
        x,
        y - liftOf(x, y, 4 * text.length),
        text,
        palette.text === "" ? INK : "#c3ccdd",
        running.length === 0,
      );
      continue;
    }
    const rest = place(tags[0]?.n ?? 0, block, 0);
    const lift = liftOf(rest.x, rest.y, (tags.length * (TAG_PX + 2)) / 2);
    tags.forEach(({ n, isGone }, i) => {
      const offset = (i - (tags.length - 1) / 2) * (TAG_PX + 2);
      const { x, y } = place(n, block, offset);
      tag(surface, x, y - lift, String(n), nodeColor(n), isGone);
    });
  }
}

function drawBlocks(
  surface: Surface,
  camera: Camera,
  model: RecordingModel,
  scene: Scene,
  motion: Motion,
  marked: Marked,
): void {
  const { width } = surface;
  const size = blockSize(camera.scale);
  const yOf = (lane: number): number => motion.laneY(lane);
  for (const block of scene.blocks) {
    const x = xOf(camera, block.height);
    if (x < -size || x > width + size) continue;
    const y = yOf(block.lane);
    const color = nodeColor(model.nodeOfProposer(block.proposer));
    const isHollow = block.transactions === undefined && block.height > 0;
    drawBlock(surface, block, { x, y, size }, { color, isHollow, ...motion.look(block.index) });
    if (block.index === marked.selected) ring(surface, x, y, size, marked.isFocused);
    else if (block.index === marked.hovered) ring(surface, x, y, size, false);
  }
}

/** From far away: thousands of blocks as bars, all of one colour in one stroke of the brush. */
function drawSmall(
  { context, height }: Surface,
  camera: Camera,
  model: RecordingModel,
  scene: Scene,
  motion: Motion,
): void {
  const brushes = new Map<string, RecordedBlock[]>();
  for (const block of scene.blocks) {
    const isLight = scene.best.has(block.index);
    const key = `${nodeColor(model.nodeOfProposer(block.proposer))}${isLight ? "ff" : "55"}`;
    const blocks = brushes.get(key);
    if (blocks === undefined) brushes.set(key, [block]);
    else blocks.push(block);
  }
  const wide = Math.max(1, camera.scale * 0.8);
  const tall = 8;
  for (const [color, blocks] of brushes) {
    context.fillStyle = color;
    context.beginPath();
    for (const { height: at, lane } of blocks) {
      const y = motion.laneY(lane) - tall / 2;
      if (y < height) context.rect(xOf(camera, at) - wide / 2, y, wide, tall);
    }
    context.fill();
  }
}

/** One picture of one moment. */
export function drawTree(
  surface: Surface,
  camera: Camera,
  model: RecordingModel,
  scene: Scene,
  motion: Motion,
  marked: Marked,
): void {
  const { context, width, height } = surface;
  context.clearRect(0, 0, width, height);
  const yOf = (lane: number): number => motion.laneY(lane);
  drawAxis(surface, camera, model.tree.lowest);
  drawEdges(surface, camera, model, scene, yOf);
  const size = blockSize(camera.scale);
  if (camera.scale < SMALL_PX) drawSmall(surface, camera, model, scene, motion);
  else drawBlocks(surface, camera, model, scene, motion, marked);
  drawHeads(surface, scene.heads, (n, block, offset) => {
    const { height: at, lane } = motion.head(n, block);
    return { x: xOf(camera, at) + offset, y: motion.laneY(lane) - size / 2 - TAG_PX / 2 - 5 };
  });
}
