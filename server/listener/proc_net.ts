/** Reads the kernel's list of TCP connections: the text of `/proc/self/net/tcp` and `tcp6`. */

/** An address to listen on, with the port really taken. */
export interface LocalAddress {
  readonly hostname: string;
  readonly port: number;
}

/** One established connection to a port of ours. */
export interface Connection {
  /** The other end, its address written as the runtime writes it. */
  readonly host: string;
  readonly port: number;
  /** The kernel's number of the socket; never shared by two open ones. */
  readonly inode: number;
}

const ESTABLISHED = "01";

/**
 * The established connections to `local`: its port and, unless it is a wildcard or a name, its
 * address. Sockets that nobody has accepted yet have no inode and are left out.
 */
export function parseConnections(text: string, local: LocalAddress): Connection[] {
  const ours = `:${local.port.toString(16).toUpperCase().padStart(4, "0")}`;
  const one = /^[0-9.]+$|:/.test(local.hostname) && !["0.0.0.0", "::"].includes(local.hostname);
  const found: Connection[] = [];
  for (const line of text.split("\n")) {
    const colon = line.indexOf(": ");
    const space = line.indexOf(" ", colon + 2);
    if (colon < 0 || !line.startsWith(ours, space - ours.length)) continue;
    const [here, there, state, , , , , , inode] = line.slice(colon + 2).trim().split(/\s+/);
    if (state !== ESTABLISHED || inode === undefined || inode === "0" || !here || !there) continue;
    if (one && hostText(here.slice(0, -ours.length)) !== plainHost(local.hostname)) continue;
    const cut = there.indexOf(":");
    found.push({
      host: hostText(there.slice(0, cut)),
      port: Number.parseInt(there.slice(cut + 1), 16),
      inode: Number(inode),
    });
  }
  return found;
}

/**
 * An address as `/proc` writes it (hex of 32-bit words in the machine's order, which is little
 * endian wherever this runs) as text: dotted, or by RFC 5952. A mapped IPv4 address is dotted.
 */
export function hostText(hex: string): string {
  const bytes: number[] = [];
  for (let word = 0; word < hex.length; word += 8) {
    for (let at = 6; at >= 0; at -= 2) {
      bytes.push(Number.parseInt(hex.slice(word + at, word + at + 2), 16));
    }
  }
  if (bytes.length === 4) return bytes.join(".");
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 &&
    bytes[11] === 255;
  if (mapped) return bytes.slice(12).join(".");
  const groups = Array.from({ length: 8 }, (_, at) => bytes[at * 2]! * 256 + bytes[at * 2 + 1]!);
  const { start, length } = longestZeros(groups);
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** The runtime's spelling of an address made equal to {@linkcode hostText}'s. */
export function plainHost(hostname: string): string {
  return hostname.startsWith("::ffff:") && hostname.includes(".") ? hostname.slice(7) : hostname;
}

/** The first longest run of zero groups. */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
