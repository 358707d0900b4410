// What pure folders may use although the language does not bring it: computation that every runtime has.

interface TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
}
declare const TextEncoder: new () => TextEncoder;

interface TextDecoder {
  decode(bytes?: Uint8Array): string;
}
declare const TextDecoder: new (
  label?: string,
  options?: { fatal?: boolean; ignoreBOM?: boolean },
) => TextDecoder;

// Of node:crypto only this, and only in primitives/hash.ts (the layer rules see to that).
declare module "node:crypto" {
  export function hash(algorithm: "sha256", data: Uint8Array, encoding: "binary" | "hex"): string;
}
