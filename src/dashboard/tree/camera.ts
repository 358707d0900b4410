/** Where the tree is looked at: heights run to the right, lanes down. */
export interface Camera {
  /** Height at the left edge; may be between two. */
  left: number;
  /** Pixels from one height to the next. */
  scale: number;
  /** Whether the head is kept in view as the chain grows. */
  isFollowing: boolean;
}

export const LANE_PX = 62;
export const LARGEST_SCALE = 96;
const SMALLEST_SCALE = 0.05;
/** Room right of the head that is followed, for the markers and what comes. */
const AHEAD_PX = 76;

export const createCamera = (scale: number): Camera => ({ left: 0, scale, isFollowing: true });

export const xOf = (camera: Camera, height: number): number => (height - camera.left) * camera.scale;
export const heightAt = (camera: Camera, x: number): number => camera.left + x / camera.scale;

/** Where the left edge must be to have a height in its place near the right one. */
export const leftFor = (camera: Camera, height: number, width: number): number =>
  height - (width - AHEAD_PX) / camera.scale;

/** Zooms with the height under a point held where it is; while following, the head is held. */
export function zoom(camera: Camera, factor: number, x: number): void {
  const height = heightAt(camera, x);
  camera.scale = Math.min(LARGEST_SCALE, Math.max(SMALLEST_SCALE, camera.scale * factor));
  camera.left = height - x / camera.scale;
}

/** Width and height of a block at this scale. */
export const blockSize = (scale: number): number => Math.max(1.5, Math.min(28, scale * 0.62));
