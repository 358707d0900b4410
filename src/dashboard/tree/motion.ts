import type { RecordedBlock } from "../../client/index.ts";
import { LANE_PX } from "./camera.ts";
import type { Scene } from "./scene.ts";

/** How a block looks while it changes. */
export interface BlockLook {
  /** 0: off every best chain, 1: on one. */
  readonly light: number;
  /** 1 just after a reorg took it out or in, then fading to 0. */
  readonly pulse: number;
  readonly isOut: boolean;
}

/** What moves between two moments: heads travel, blocks fade out and light up, lanes make room. */
export interface Motion {
  /** Takes the next picture's targets; true while anything is still on its way. */
  step(scene: Scene, nowMs: number, view: { readonly height: number; readonly top: number }): boolean;
  look(block: number): BlockLook;
  head(n: number, block: RecordedBlock): { readonly height: number; readonly lane: number };
  laneY(lane: number): number;
}

const PULSE_MS = 2_200;
/** Time in which half of a way is gone. */
const HALF_MS = 70;
const DONE = 0.004;

interface Fading {
  light: number;
  isBest: boolean;
  pulseAtMs: number;
  isOut: boolean;
}

const STILL: BlockLook = { light: 0, pulse: 0, isOut: false };

export function createMotion(isReduced: () => boolean): Motion {
  const blocks = new Map<number, Fading>();
  const heads = new Map<number, { height: number; lane: number; toHeight: number; toLane: number }>();
  let lastMs: number | undefined;
  let now = 0;
  let offset: number | undefined;

  function fadeBlocks(scene: Scene, part: number): boolean {
    let isMoving = false;
    const seen = new Set<number>();
    for (const { index } of scene.blocks) {
      seen.add(index);
      const isBest = scene.best.has(index);
      const fading = blocks.get(index);
      if (fading === undefined) {
        // What comes into view was so before; only what changes before one's eyes moves.
        blocks.set(index, {
          light: isBest ? 1 : 0,
          isBest,
          pulseAtMs: Number.NEGATIVE_INFINITY,
          isOut: false,
        });
        continue;
      }
      if (fading.isBest !== isBest) {
        fading.isBest = isBest;
        fading.pulseAtMs = now;
        fading.isOut = !isBest;
      }
      const target = isBest ? 1 : 0;
      fading.light += (target - fading.light) * part;
      if (Math.abs(target - fading.light) < DONE) fading.light = target;
      if (fading.light !== target || (now - fading.pulseAtMs < PULSE_MS && !isReduced())) isMoving = true;
    }
    for (const index of blocks.keys()) if (!seen.has(index)) blocks.delete(index);
    return isMoving;
  }

  function moveHeads(scene: Scene, part: number): boolean {
    let isMoving = false;
    for (const { block, running, gone } of scene.heads) {
      for (const n of [...running, ...gone]) {
        const at = heads.get(n);
        if (at === undefined) {
          heads.set(n, {
            height: block.height,
            lane: block.lane,
            toHeight: block.height,
            toLane: block.lane,
          });
          continue;
        }
        at.toHeight = block.height;
        at.toLane = block.lane;
        // Over half a screen there is no way to follow with the eyes.
        const isFar = Math.abs(at.toHeight - at.height) > 40;
        at.height = isFar ? at.toHeight : at.height + (at.toHeight - at.height) * part;
        at.lane += (at.toLane - at.lane) * part;
        if (Math.abs(at.toHeight - at.height) < DONE) at.height = at.toHeight;
        if (Math.abs(at.toLane - at.lane) < DONE) at.lane = at.toLane;
        if (at.height !== at.toHeight || at.lane !== at.toLane) isMoving = true;
      }
    }
    return isMoving;
  }

  return {
    step(scene, nowMs, { height, top }) {
      const passed = Math.min(nowMs - (lastMs ?? nowMs - 16), 100);
      lastMs = nowMs;
      now = nowMs;
      const part = isReduced() ? 1 : 1 - 0.5 ** (passed / HALF_MS);
      const isFading = fadeBlocks(scene, part);
      const areMoving = moveHeads(scene, part);
      const target = Math.max(top, (height - (scene.lanes - 1) * LANE_PX) / 2);
      offset ??= target;
      offset += (target - offset) * part;
      if (Math.abs(target - offset) < 0.3) offset = target;
      const isGoing = isFading || areMoving || offset !== target;
      if (!isGoing) lastMs = undefined;
      return isGoing;
    },
    look(block) {
      const fading = blocks.get(block);
      if (fading === undefined) return STILL;
      const pulse = isReduced() ? 0 : Math.max(0, 1 - (now - fading.pulseAtMs) / PULSE_MS);
      return { light: fading.light, pulse, isOut: fading.isOut };
    },
    head: (n, block) => heads.get(n) ?? { height: block.height, lane: block.lane },
    laneY: (lane) => (offset ?? 0) + lane * LANE_PX,
  };
}
