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

/** What the kernel's list says about one port. */
export interface PortSockets {
  /** Established and accepted; those that nobody has accepted yet have no inode and are left out. */
  readonly connections: readonly Connection[];
  /** Inodes of the sockets that listen. */
  readonly listening: readonly number[];
}

const ESTABLISHED = "01";
const LISTEN = "0A";

/**
 * The sockets of `local`: of its port and, unless it is a wildcard or a name, its address.
 *
 * ```
 *   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
 *    0: 0100007F:1F90 0200007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 12 …
 * ```
 *
 * Only lines of the port are taken apart: the list is that of the whole machine.
 */
export function parseSockets(text: string, local: LocalAddress): PortSockets {
  const ours = `:${local.port.toString(16).toUpperCase().padStart(4, "0")} `;
  const connections: Connection[] = [];
  const listening: number[] = [];
  for (let at = text.indexOf(ours); at >= 0; at = text.indexOf(ours, at + 1)) {
    const from = text.lastIndexOf(" ", at) + 1;
    if (text[from - 2] !== ":") continue; // the port of the other end
    const there = at + ours.length;
    const cut = text.indexOf(":", there);
    const state = text.slice(cut + 6, cut + 8);
    if (state !== ESTABLISHED && state !== LISTEN) continue;
    if (!isLocal(hostText(text.slice(from, at)), local)) continue;
    const inode = Number(text.slice(cut + 8, text.indexOf("\n", cut)).trim().split(/\s+/)[5]);
    if (!(inode > 0)) continue;
    if (state === LISTEN) listening.push(inode);
    else {
      const port = Number.parseInt(text.slice(cut + 1, cut + 5), 16);
      connections.push({ host: hostText(text.slice(there, cut)), port, inode });
    }
  }
  return { connections, listening };
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
  return addressText(bytes);
}

/** Whether a socket at `address` belongs to `local`: a wildcard or a name has all of its port. */
export function isLocal(address: string, { hostname }: LocalAddress): boolean {
  const one = /^[0-9.]+$|:/.test(hostname) && hostname !== "0.0.0.0" && hostname !== "::";
  return !one || address === plainHost(hostname);
}

/** The 4 or 16 bytes of an address as text, as {@linkcode hostText} writes it. */
export function addressText(bytes: ArrayLike<number>): string {
  if (bytes.length === 4) return dotted(bytes, 0);
  if (isMapped(bytes)) return dotted(bytes, 12);
  const groups = Array.from({ length: 8 }, (_, at) => bytes[at * 2]! * 256 + bytes[at * 2 + 1]!);
  const { start, length } = longestZeros(groups);
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

function dotted(bytes: ArrayLike<number>, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

function isMapped(bytes: ArrayLike<number>): boolean {
  for (let at = 0; at < 10; at++) if (bytes[at] !== 0) return false;
  return bytes[10] === 255 && bytes[11] === 255;
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
