/** The bytes that are raced with: incompressible ones and slices of an ELF program. */

/** Bodies of a run. */
export interface Bodies {
  /** One small body; callers that need many different ones stamp a number into its head. */
  small(size: string, kind: "random" | "ELF"): Uint8Array<ArrayBuffer>;
  /** Writes files of 100 MB that no server has seen, not one chunk of them; resolves with their paths. */
  freshLarge(count: number): Promise<string[]>;
  /** The program that ELF bodies are cut from. */
  readonly elf: string;
}

const LARGE = 100_000_000;
/** Less than the smallest chunk, so that a stamp in each block makes every chunk a new one. */
const STAMP_EVERY = 4096;
const SIZES: Readonly<Record<string, number>> = { "1 KiB": 1024, "64 KiB": 65_536 };

/** Bodies of a run; large files are written below `dir`, best one in memory. */
export async function makeBodies(dir: string): Promise<Bodies> {
  const elf = Deno.execPath();
  const program = await middleOf(elf, SIZES["64 KiB"]!);
  const large = random(LARGE);
  const view = new DataView(large.buffer);
  let stamp = 0;
  return {
    small: (size, kind) =>
      kind === "random" ? random(SIZES[size]!) : program.slice(0, SIZES[size]!),
    async freshLarge(count) {
      const paths: string[] = [];
      for (let n = 0; n < count; n++) {
        stamp++;
        for (let at = 0; at + 4 <= LARGE; at += STAMP_EVERY) view.setUint32(at, stamp);
        const path = `${dir}/large-${n}`;
        await Deno.writeFile(path, large);
        paths.push(path);
      }
      return paths;
    },
    elf,
  };
}

/** The middle of a program is code, its head is mostly tables. */
async function middleOf(path: string, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  using file = await Deno.open(path);
  await file.seek(Math.floor((await file.stat()).size / 2), Deno.SeekMode.Start);
  for (let at = 0; at < length;) {
    const count = await file.read(bytes.subarray(at));
    if (count === null) throw new Error(`"${path}" is too short to cut bodies from`);
    at += count;
  }
  return bytes;
}

/** Bytes that do not compress and do not repeat. */
export function random(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65_536, length)));
  }
  return bytes;
}
