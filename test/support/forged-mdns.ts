import { createSocket } from "node:dgram";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";

const text = (value: string): Buffer =>
  Buffer.concat([Buffer.of(Buffer.byteLength(value)), Buffer.from(value)]);
const uint16 = (value: number): Buffer => Buffer.of(value >> 8, value & 255);
const nameOf = (dotted: string): Buffer => Buffer.concat([...dotted.split(".").map(text), Buffer.of(0)]);
const PTR = 12;
const TXT = 16;

function record(name: string, type: number, data: Buffer): Buffer {
  const ttl = Buffer.of(0, 0, 0, 120);
  return Buffer.concat([nameOf(name), uint16(type), uint16(1), ttl, uint16(data.length), data]);
}

/** What a liar on the local network would multicast: a peer that nobody has seen, at addresses of its choice. */
async function forgedAnswer(service: string, n: number, addresses: readonly string[]): Promise<Buffer> {
  const key = await generateKeyPairFromSeed("Ed25519", Buffer.alloc(32, uint16(n)));
  const peer = peerIdFromPrivateKey(key).toString();
  const instance = `liar-${n}.${service}`;
  const records = [
    record(service, PTR, nameOf(instance)),
    ...addresses.map((address) => record(instance, TXT, text(`dnsaddr=${address}/p2p/${peer}`))),
  ];
  // An authoritative answer without questions.
  return Buffer.concat([
    uint16(0),
    uint16(0x8400),
    uint16(0),
    uint16(records.length),
    uint16(0),
    uint16(0),
    ...records,
  ]);
}

/** Multicasts many forged answers and some noise from an interface, by its address. */
export async function lieOnLocalNetwork(from: string, service: string, count: number): Promise<void> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, from, resolve));
  socket.setMulticastInterface(from);
  const send = (bytes: Buffer): Promise<void> =>
    new Promise((resolve) => socket.send(bytes, 5_353, "224.0.0.251", () => resolve()));
  for (let n = 0; n < count; n++) {
    const addresses = [
      "/ip4/127.0.0.1/tcp/22",
      "/ip4/8.8.8.8/tcp/4001",
      `/ip4/10.84.${n >> 8}.${n & 255}/tcp/1`,
    ];
    await send(await forgedAnswer(service, n, addresses));
    await send(Buffer.alloc(1 + n, n & 255));
  }
  socket.close();
}
