/**
 * A folder as the disk has it: what was synced is there, what was not may be, in parts and in any
 * order that a file system allows. Fed with recorded calls; tells what a power cut could leave.
 */
import type { SeededRandom } from "../helpers/random.ts";
import type { Call } from "./record.ts";

/** Bytes that a disk writes at once, or not at all. */
const SECTOR_BYTES = 512;

interface Write {
  readonly offset: number;
  readonly data: Uint8Array<ArrayBuffer>;
  /** Set for a truncation or an allocation: the size afterwards. */
  readonly size: number | undefined;
}

/** What of the writes that were not synced is on the disk. */
export type Survival = "nothing" | "everything" | "first" | "sectors";

/** One file or folder, whatever it is called. */
class Inode {
  readonly folder: boolean;
  #bytes: Uint8Array<ArrayBuffer>;
  #size: number;
  /** Not synced yet, in order. */
  pending: Write[] = [];

  constructor(folder: boolean, bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0)) {
    this.folder = folder;
    this.#bytes = bytes.slice();
    this.#size = bytes.length;
  }

  sync(): void {
    for (const write of this.pending) this.#apply(write);
    this.pending = [];
  }

  /** The bytes as they would be if the power went now. */
  survive(how: Survival, random: SeededRandom): Uint8Array<ArrayBuffer> {
    const copy = new Inode(false, this.#bytes.subarray(0, this.#size));
    const count = this.pending.length;
    if (how === "everything") copy.pending = [...this.pending];
    if (how === "first") copy.pending = this.pending.slice(0, random.integer(0, count + 1));
    if (how === "sectors") {
      const written = new Set<number>();
      copy.pending = this.pending.toReversed()
        .flatMap((write) => someSectors(write, written, random).toReversed()).toReversed();
    }
    copy.sync();
    return copy.#bytes.subarray(0, copy.#size);
  }

  #apply({ offset, data, size }: Write): void {
    if (size !== undefined) {
      if (size < this.#size) this.#bytes.fill(0, size, this.#size);
      this.#grow(size);
      this.#size = size;
      return;
    }
    this.#grow(offset + data.length);
    this.#bytes.set(data, offset);
    this.#size = Math.max(this.#size, offset + data.length);
  }

  #grow(size: number): void {
    if (size <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(size, this.#bytes.length * 2, 4096));
    bytes.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = bytes;
  }
}

/**
 * A write of which each sector is there or not; a size may be there without the bytes. A sector that
 * is `written` for a later write holds what the earlier ones put there, too.
 */
function someSectors(write: Write, written: Set<number>, random: SeededRandom): Write[] {
  const { offset, data, size } = write;
  if (size !== undefined) return random.next() < 0.5 ? [write] : [];
  const parts: Write[] = [];
  const end = offset + data.length;
  for (let at = offset; at < end;) {
    const sector = Math.floor(at / SECTOR_BYTES);
    const next = Math.min(end, (sector + 1) * SECTOR_BYTES);
    if (written.has(sector) || random.next() < 0.5) {
      written.add(sector);
      parts.push({ offset: at, data: data.subarray(at - offset, next - offset), size: undefined });
    }
    at = next;
  }
  return parts;
}

/** A change of names; durable with all others before it in one of its folders. */
interface NameChange {
  readonly folders: readonly string[];
  apply(names: Map<string, Inode>): void;
}

/** The folder, as calls change it. */
export class DiskModel {
  readonly #inodes = new Map<number, Inode>();
  readonly #paths = new Map<number, string>();
  /** Names as programs see them, and as the disk has them. */
  readonly #names: Map<string, Inode>;
  readonly #durable: Map<string, Inode>;
  #changes: NameChange[] = [];

  /** A folder of which everything is durable. */
  constructor(base: ReadonlyMap<string, Uint8Array<ArrayBuffer> | "folder"> = new Map()) {
    this.#names = new Map([["", new Inode(true)]]);
    for (const [path, content] of base) {
      this.#names.set(path, content === "folder" ? new Inode(true) : new Inode(false, content));
    }
    this.#durable = new Map(this.#names);
  }

  /** Takes a call in. */
  apply(call: Call): void {
    const { name, ino, offset, path, other, data } = call;
    switch (name) {
      case "open":
        return this.#opened(ino, path);
      case "create":
        return this.#make(ino, path, new Inode(false));
      case "mkdir":
        return this.#make(ino, path, new Inode(true));
      case "write":
        return void this.#inode(ino, call).pending.push({ offset, data, size: undefined });
      case "truncate":
      case "allocate":
        return void this.#inode(ino, call).pending.push({ offset: 0, data, size: offset });
      case "sync":
        return this.#sync(ino, call);
      case "unlink":
      case "rmdir":
        return this.#change([path], (names) => void names.delete(path));
      case "link":
      case "rename": {
        const inode = this.#names.get(path);
        if (!inode) throw new Error(`the record has a ${name} of "${path}", which is not there`);
        const gone = name === "rename" ? path : undefined;
        return this.#change(gone === undefined ? [other] : [path, other], (names) => {
          names.set(other, inode);
          if (gone !== undefined) names.delete(gone);
        });
      }
      case "say":
      case "kill":
        return;
      default:
        name satisfies never;
    }
  }

  /**
   * What is there after a power cut: files by path, folders as `folder`. Names that were not synced
   * are there up to some change, one order for all folders or one for each.
   */
  cut(random: SeededRandom, always?: Survival): Map<string, Uint8Array<ArrayBuffer> | "folder"> {
    const names = new Map(this.#durable);
    const last = random.integer(0, this.#changes.length + 1);
    const alone = always === undefined && random.next() < 0.3;
    const limits = new Map<string, number>();
    const limit = (folder: string) => {
      if (!limits.has(folder)) limits.set(folder, random.integer(0, this.#changes.length + 1));
      return limits.get(folder)!;
    };
    this.#changes.forEach(({ folders, apply }, n) => {
      if (always === "nothing") return;
      const there = always === "everything" ||
        (alone ? folders.every((f) => n < limit(f)) : n < last);
      if (there) apply(names);
    });
    const survivals: Survival[] = ["nothing", "everything", "first", "sectors"];
    const drawn = survivals[random.integer(0, 4)]!;
    const left = new Map<string, Uint8Array<ArrayBuffer> | "folder">();
    const paths = [...names.keys()].filter((path) => path !== "").sort();
    for (const path of paths) {
      const folder = folderOf(path);
      // Without its folder a name is nowhere; folders sort before what is in them.
      if (folder !== "" && left.get(folder) !== "folder") continue;
      const inode = names.get(path)!;
      const mixed = random.next() < 0.3 ? survivals[random.integer(0, 4)]! : drawn;
      left.set(path, inode.folder ? "folder" : inode.survive(always ?? mixed, random));
    }
    return left;
  }

  #opened(ino: number, path: string): void {
    const inode = this.#names.get(path);
    if (!inode) throw new Error(`the record opens "${path}", which was never made`);
    this.#inodes.set(ino, inode);
    this.#paths.set(ino, path);
  }

  #make(ino: number, path: string, inode: Inode): void {
    // The folder of the store itself: there is nothing above it that could be lost.
    if (path === "") return this.#opened(ino, path);
    this.#inodes.set(ino, inode);
    this.#paths.set(ino, path);
    this.#change([path], (names) => void names.set(path, inode));
  }

  #inode(ino: number, { name, path }: Call): Inode {
    const inode = this.#inodes.get(ino);
    if (!inode) throw new Error(`the record has a ${name} of "${path}", which was never opened`);
    return inode;
  }

  #sync(ino: number, call: Call): void {
    const inode = this.#inode(ino, call);
    if (!inode.folder) return inode.sync();
    const folder = this.#paths.get(ino)!;
    this.#changes = this.#changes.filter((change) => {
      if (!change.folders.includes(folder)) return true;
      change.apply(this.#durable);
      return false;
    });
  }

  #change(paths: readonly string[], apply: NameChange["apply"]): void {
    apply(this.#names);
    this.#changes.push({ folders: [...new Set(paths.map(folderOf))], apply });
  }
}

function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}
