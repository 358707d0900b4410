import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState, type WheelEvent } from "react";
import type { RecordedBlock } from "../../client/index.ts";
import { readPalette } from "../state/colors.ts";
import { useMoment, usePage } from "../state/context.ts";
import { count, shortId } from "../state/format.ts";
import { blockHref, go } from "../state/route.ts";
import { BlockCard } from "./block-card.tsx";
import { blockSize, createCamera, heightAt, leftFor, xOf, zoom } from "./camera.ts";
import { drawTree } from "./draw.ts";
import { createMotion } from "./motion.ts";
import { childAt, headGroups, neighbourAt, type Scene, sceneAt } from "./scene.ts";

interface View {
  width: number;
  height: number;
  scene: Scene | undefined;
  hovered: number | undefined;
  selected: number | undefined;
  isFocused: boolean;
  drag: { x: number; left: number; hasMoved: boolean } | undefined;
}

interface Card {
  readonly block: RecordedBlock;
  readonly x: number;
  readonly y: number;
}

/** Room above the first lane, for the heads' markers. */
const TOP_PX = 40;
const AXIS_PX = 22;
/** One for all: asked for each block of each frame. */
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
const isMotionReduced = (): boolean => reducedMotion.matches;

/** The tree's canvas with all it needs between two frames; what React need not know stays here. */
function useTree(selectedId: string | undefined) {
  const { store } = usePage();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [camera] = useState(() => createCamera(innerWidth < 600 ? 36 : 46));
  const [motion] = useState(() => createMotion(isMotionReduced));
  const [view] = useState<View>(() => ({
    width: 0,
    height: 0,
    scene: undefined,
    hovered: undefined,
    selected: undefined,
    isFocused: false,
    drag: undefined,
  }));
  const [card, setCard] = useState<Card>();
  const [isFollowing, setFollowing] = useState(true);
  const draw = useRef<() => void>(() => {});

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context) return;
    let palette = readPalette();
    let isAsked = false;
    let leftTarget: number | undefined;
    const paint = (): void => {
      isAsked = false;
      const timeMs = store.timeMs();
      const { model } = store;
      let scene = sceneAt(model, timeMs, camera.left, heightAt(camera, view.width));
      let isSliding = false;
      if (camera.isFollowing) {
        leftTarget = leftFor(camera, scene.top, view.width);
        const way = leftTarget - camera.left;
        const isFar = Math.abs(way * camera.scale) > 2 * view.width || isMotionReduced();
        camera.left = isFar || Math.abs(way * camera.scale) < 0.5 ? leftTarget : camera.left + way * 0.16;
        isSliding = camera.left !== leftTarget;
        scene = sceneAt(model, timeMs, camera.left, heightAt(camera, view.width));
      }
      view.scene = scene;
      const isMoving = motion.step(scene, performance.now(), {
        height: view.height - AXIS_PX + 16,
        top: TOP_PX,
      });
      drawTree(
        { context, width: view.width, height: view.height, palette },
        camera,
        model,
        scene,
        motion,
        view,
      );
      if (isMoving || isSliding) draw.current();
    };
    draw.current = () => {
      if (isAsked) return;
      isAsked = true;
      requestAnimationFrame(paint);
    };
    const resize = new ResizeObserver(([entry]) => {
      const { width, height } = entry?.contentRect ?? { width: 0, height: 0 };
      view.width = width;
      view.height = height;
      const ratio = Math.min(devicePixelRatio, 3);
      element.width = Math.round(width * ratio);
      element.height = Math.round(height * ratio);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      // At once: a canvas that was resized is empty until it is painted.
      paint();
    });
    resize.observe(element);
    const recolor = (): void => {
      palette = readPalette();
      draw.current();
    };
    const theme = new MutationObserver(recolor);
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", recolor);
    // A wheel that zooms must not also scroll the page, which only a listener that is not passive can stop.
    const stopScroll = (event: globalThis.WheelEvent): void => {
      if (event.ctrlKey || event.metaKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
        event.preventDefault();
    };
    element.addEventListener("wheel", stopScroll, { passive: false });
    const unsubscribe = store.onFrame(() => draw.current());
    return () => {
      unsubscribe();
      resize.disconnect();
      theme.disconnect();
      scheme.removeEventListener("change", recolor);
      element.removeEventListener("wheel", stopScroll);
    };
  }, [store, camera, motion, view]);

  function show(block: RecordedBlock | undefined): void {
    setCard(
      block === undefined
        ? undefined
        : { block, x: xOf(camera, block.height), y: motion.laneY(block.lane) + blockSize(camera.scale) / 2 },
    );
  }

  function setFollow(next: boolean): void {
    camera.isFollowing = next;
    setFollowing(next);
    draw.current();
  }

  /** Brings a block into view where it is not. */
  function reveal(block: RecordedBlock): void {
    const x = xOf(camera, block.height);
    if (x >= 40 && x <= view.width - 60) return;
    setFollow(false);
    camera.left = block.height - view.width / 2 / camera.scale;
  }

  function select(block: RecordedBlock | undefined): void {
    view.selected = block?.index;
    if (block !== undefined) reveal(block);
    show(block);
    draw.current();
  }

  // A page of a block marks it in the tree.
  useEffect(() => {
    const block = selectedId === undefined ? undefined : store.model.tree.find(selectedId);
    view.selected = block?.index;
    draw.current();
  }, [selectedId, store, view]);

  return {
    canvas,
    camera,
    motion,
    view,
    card,
    show,
    select,
    isFollowing,
    setFollow,
    redraw: () => draw.current(),
  };
}

type Tree = ReturnType<typeof useTree>;

function blockAt({ camera, motion, view }: Tree, x: number, y: number): RecordedBlock | undefined {
  const reach = Math.max(8, blockSize(camera.scale) / 2 + 4);
  let nearest: RecordedBlock | undefined;
  let nearestPx = reach;
  for (const block of view.scene?.blocks ?? []) {
    const distance = Math.max(
      Math.abs(xOf(camera, block.height) - x),
      Math.abs(motion.laneY(block.lane) - y),
    );
    if (distance < nearestPx) {
      nearest = block;
      nearestPx = distance;
    }
  }
  return nearest;
}

function pointerHandlers(tree: Tree) {
  const { camera, view } = tree;
  const at = (event: PointerEvent | WheelEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  return {
    onPointerDown(event: PointerEvent<HTMLCanvasElement>) {
      event.currentTarget.setPointerCapture(event.pointerId);
      view.drag = { x: event.clientX, left: camera.left, hasMoved: false };
    },
    onPointerMove(event: PointerEvent<HTMLCanvasElement>) {
      const { drag } = view;
      if (drag !== undefined && Math.abs(event.clientX - drag.x) > 3) {
        if (!drag.hasMoved) tree.setFollow(false);
        drag.hasMoved = true;
        camera.left = drag.left - (event.clientX - drag.x) / camera.scale;
        tree.show(undefined);
        tree.redraw();
        return;
      }
      const { x, y } = at(event);
      const block = blockAt(tree, x, y);
      if (block?.index === view.hovered) return;
      view.hovered = block?.index;
      tree.show(block);
      tree.redraw();
    },
    onPointerUp(event: PointerEvent<HTMLCanvasElement>) {
      const wasClick = view.drag !== undefined && !view.drag.hasMoved;
      view.drag = undefined;
      if (!wasClick) return;
      const { x, y } = at(event);
      const block = blockAt(tree, x, y);
      tree.select(block);
      if (block !== undefined) go(blockHref(block.id));
    },
    onPointerCancel() {
      view.drag = undefined;
    },
    onPointerLeave() {
      view.hovered = undefined;
      if (view.drag === undefined) tree.show(undefined);
      tree.redraw();
    },
    onWheel(event: WheelEvent<HTMLCanvasElement>) {
      const { x } = at(event);
      if (event.ctrlKey || event.metaKey) zoom(camera, Math.exp(-event.deltaY * 0.004), x);
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        tree.setFollow(false);
        camera.left += event.deltaX / camera.scale;
      } else return;
      tree.redraw();
    },
  };
}

/** Arrow keys walk from block to block; says what was done with the key. */
function walk(tree: Tree, key: string, store: ReturnType<typeof usePage>["store"]): boolean {
  const { camera, view } = tree;
  const { scene } = view;
  if (scene === undefined) return false;
  const { model } = store;
  const top = scene.heads[0]?.block;
  const selected = view.selected === undefined ? undefined : model.tree.blocks[view.selected];
  const from = selected ?? top;
  if (key === "+" || key === "=" || key === "-") {
    zoom(camera, key === "-" ? 0.8 : 1.25, view.width / 2);
    tree.redraw();
    return true;
  }
  if (from === undefined) return false;
  if (key === "Enter") {
    go(blockHref(from.id));
    return true;
  }
  if (key === "Escape") {
    tree.select(undefined);
    return true;
  }
  const next = {
    ArrowLeft: () => model.tree.blocks[from.parent],
    ArrowRight: () => childAt(model, scene, from, store.timeMs()),
    ArrowUp: () => neighbourAt(scene, from, -1),
    ArrowDown: () => neighbourAt(scene, from, 1),
    Home: () => model.tree.blocks[model.tree.atHeight(model.tree.lowest)[0] ?? -1],
    End: () => top,
  }[key];
  if (next === undefined) return false;
  tree.select(selected === undefined ? from : (next() ?? from));
  return true;
}

/** The fork tree of all nodes, drawn as it was at the moment shown. */
export function TreeView({ selectedId }: { selectedId?: string | undefined }) {
  const { store } = usePage();
  const { model, timeMs } = useMoment();
  const tree = useTree(selectedId);
  const { canvas, view, card, isFollowing } = tree;
  const heads = headGroups(model, timeMs);
  const summary =
    heads.length === 0
      ? "no block is known yet"
      : heads
          .map(
            ({ block, running, gone }) =>
              `height ${block.height}, block ${shortId(block.id)}: ${count(running.length + gone.length, "node")}`,
          )
          .join("; ");

  function onKeyDown(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (walk(tree, event.key, store)) event.preventDefault();
  }

  return (
    <section className="tree" aria-label="Fork tree">
      <canvas
        ref={canvas}
        tabIndex={0}
        role="img"
        aria-label={`Fork tree. Heads: ${summary}. Arrow keys walk from block to block, Enter opens one; the table view has all as text.`}
        onKeyDown={onKeyDown}
        onFocus={() => {
          view.isFocused = true;
          tree.redraw();
        }}
        onBlur={() => {
          view.isFocused = false;
          tree.redraw();
        }}
        {...pointerHandlers(tree)}
      />
      <div className="tree-tools">
        <button
          type="button"
          title="Zoom out (-)"
          aria-label="Zoom out"
          onClick={() => {
            zoom(tree.camera, 0.7, view.width / 2);
            tree.redraw();
          }}
        >
          −
        </button>
        <button
          type="button"
          title="Zoom in (+)"
          aria-label="Zoom in"
          onClick={() => {
            zoom(tree.camera, 1.4, view.width / 2);
            tree.redraw();
          }}
        >
          +
        </button>
        <button
          type="button"
          aria-pressed={isFollowing}
          title="Keep the head in view"
          onClick={() => tree.setFollow(!isFollowing)}
        >
          follow
        </button>
        <a className="button" href="#/table">
          as a table
        </a>
      </div>
      {card !== undefined && (
        <BlockCard
          model={model}
          timeMs={timeMs}
          block={card.block}
          x={card.x}
          y={card.y}
          width={view.width}
        />
      )}
      <p className="visually-hidden" aria-live="polite">
        {card !== undefined && view.isFocused
          ? `block ${shortId(card.block.id)}, height ${card.block.height}`
          : ""}
      </p>
      {heads.length === 0 && <p className="tree-empty">Waiting for the first block…</p>}
    </section>
  );
}
