/** When a chunk's SHA-256 is compared with its id, besides the CRC-32 of its record. */
import { equalBytes } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { sha256 } from "../../core/digest.ts";
import { recordKey } from "./places.ts";
import type { Wanted } from "./places.ts";

/** Chunks that are known to be whole by SHA-256, before the memory of them starts anew. */
const MAX_VERIFIED = 65_536;

/** The comparisons of one reader. */
export class NameCheck {
  readonly #always: boolean;
  readonly #verified: Set<string> | undefined;

  /** `auto`: what comes from a far medium, and each chunk once after an unclean stop. */
  constructor(verify: "auto" | "always" | undefined, uncleanStop: boolean) {
    this.#always = verify === "always";
    this.#verified = uncleanStop ? new Set() : undefined;
  }

  /** Whether the body is the one that its id names, as far as that is compared here. */
  fits({ kind, id }: Wanted, bodyOf: () => Bytes, far: boolean): boolean {
    if (kind !== "chunk") return true;
    if (far || this.#always) return equalBytes(sha256(bodyOf()), id);
    if (!this.#verified) return true;
    const key = recordKey(kind, id);
    if (this.#verified.has(key)) return true;
    if (!equalBytes(sha256(bodyOf()), id)) return false;
    if (this.#verified.size >= MAX_VERIFIED) this.#verified.clear();
    this.#verified.add(key);
    return true;
  }
}
