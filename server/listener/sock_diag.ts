/**
 * Asks the kernel for the sockets of one port by netlink (`sock_diag(7)`). The text of `/proc` is that
 * of all sockets of the machine, also those that wait for their end: with some thousands of them
 * reading it stops a serving thread for longer than all its requests take.
 */
import type { Connection, LocalAddress, PortSockets } from "./proc_net.ts";
import { addressText, isLocal } from "./proc_net.ts";

/** What is called of the C library. */
export const DIAG_SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
} as const;

/** The part of the C library that is needed; whoever has it closes what `openSockDiag` opened. */
export interface DiagCalls {
  socket(domain: number, type: number, protocol: number): number;
  send(socket: number, bytes: Uint8Array<ArrayBuffer>, length: bigint, flags: number): bigint;
  recv(socket: number, bytes: Uint8Array<ArrayBuffer>, length: bigint, flags: number): bigint;
}

const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST_DUMP = 0x1 | 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const IPPROTO_TCP = 6;
const MSG_DONTWAIT = 0x40;
const ESTABLISHED = 1;
const LISTEN = 10;
const HEADER_BYTES = 16;
const REQUEST_BYTES = HEADER_BYTES + 56;
/** More than the kernel puts into one answer. */
const ANSWER_BYTES = 64 * 1024;

/** Offsets in a message, behind its header: `struct inet_diag_msg` of `linux/inet_diag.h`. */
const AT = { state: 1, sport: 4, dport: 6, src: 8, dst: 24, inode: 68 } as const;

/** A netlink socket; kept open, since there may be no descriptor left when it matters. */
export class SockDiag {
  readonly #calls: DiagCalls;
  readonly descriptor: number;
  readonly #answer = new Uint8Array(ANSWER_BYTES);
  #sequence = 0;

  private constructor(calls: DiagCalls, descriptor: number) {
    this.#calls = calls;
    this.descriptor = descriptor;
  }

  /** `undefined` where the kernel does not answer such questions. */
  static open(calls: DiagCalls): SockDiag | undefined {
    const descriptor = calls.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG);
    return descriptor < 0 ? undefined : new SockDiag(calls, descriptor);
  }

  /** The sockets of `local`, as `parseSockets` finds them; `undefined` if the kernel refuses. */
  sockets(local: LocalAddress): PortSockets | undefined {
    const connections: Connection[] = [];
    const listening: number[] = [];
    for (const family of [AF_INET, AF_INET6]) {
      const good = this.#dump({ family, port: local.port }, (view) => {
        if (view.getUint16(AT.sport) !== local.port) return;
        const width = family === AF_INET ? 4 : 16;
        const inode = view.getUint32(AT.inode, true);
        if (inode === 0 || !isLocal(addressAt(view, AT.src, width), local)) return;
        const state = view.getUint8(AT.state);
        if (state === LISTEN) listening.push(inode);
        else {
          const host = addressAt(view, AT.dst, width);
          connections.push({ host, port: view.getUint16(AT.dport), inode });
        }
      });
      if (!good) return undefined;
    }
    return { connections, listening };
  }

  #dump(
    { family, port }: { readonly family: number; readonly port: number },
    each: (message: DataView) => void,
  ): boolean {
    const request = new Uint8Array(REQUEST_BYTES);
    const view = new DataView(request.buffer);
    view.setUint32(0, REQUEST_BYTES, true);
    view.setUint16(4, SOCK_DIAG_BY_FAMILY, true);
    view.setUint16(6, NLM_F_REQUEST_DUMP, true);
    view.setUint32(8, ++this.#sequence, true);
    view.setUint8(16, family);
    view.setUint8(17, IPPROTO_TCP);
    view.setUint32(20, (1 << ESTABLISHED) | (1 << LISTEN), true);
    view.setUint16(24, port);
    if (this.#calls.send(this.descriptor, request, BigInt(REQUEST_BYTES), 0) < 0n) return false;
    for (;;) {
      const { descriptor } = this;
      // What is asked for is answered before `send` returns, or while it is taken.
      const count = this.#calls.recv(descriptor, this.#answer, BigInt(ANSWER_BYTES), MSG_DONTWAIT);
      if (count <= 0n) return false;
      const end = this.#each(Number(count), each);
      if (end !== undefined) return end;
    }
  }

  /** Goes through one answer: `true` at the end of all, `false` at an error. */
  #each(count: number, each: (message: DataView) => void): boolean | undefined {
    const { buffer } = this.#answer;
    const view = new DataView(buffer);
    for (let at = 0; at + HEADER_BYTES <= count;) {
      const length = view.getUint32(at, true);
      const type = view.getUint16(at + 4, true);
      const ours = view.getUint32(at + 8, true) === this.#sequence;
      if (length < HEADER_BYTES || at + length > count) return false;
      if (ours && type === NLMSG_DONE) return true;
      if (ours && type === NLMSG_ERROR) return false;
      if (ours && type === SOCK_DIAG_BY_FAMILY) {
        each(new DataView(buffer, at + HEADER_BYTES, length - HEADER_BYTES));
      }
      at += (length + 3) & ~3;
    }
    return undefined;
  }
}

function addressAt(view: DataView, at: number, width: number): string {
  return addressText(new Uint8Array(view.buffer, view.byteOffset + at, width));
}
