/** The handshakes of the Noise Protocol Framework (revision 34) that sessions use, as data. */

/** One step of a message: a key is sent, two keys agree, or the pre-shared key is mixed in. */
export type NoiseToken = "e" | "s" | "ee" | "es" | "se" | "ss" | "psk";

/** Who sends what, and which keys are known beforehand. */
export interface NoisePattern {
  /** With modifiers, as it stands in the protocol's name. */
  readonly name: string;
  /** Whether the initiator's static key is known to the responder, and the other way round. */
  readonly initiatorKnown: boolean;
  readonly responderKnown: boolean;
  /** Messages in turn; the initiator sends the first. */
  readonly messages: readonly (readonly NoiseToken[])[];
}

/** The client knows the server's key from its token, the server the client by the shared key. */
export const NKPSK0: NoisePattern = {
  name: "NKpsk0",
  initiatorKnown: false,
  responderKnown: true,
  messages: [["psk", "e", "es"], ["e", "ee"]],
};

/**
 * For a token that names no server: the shared key alone says who is who, so that whoever learns
 * the secret later can stand between the two. Only behind `--insecure-no-server-key`.
 */
export const NNPSK0: NoisePattern = {
  name: "NNpsk0",
  initiatorKnown: false,
  responderKnown: false,
  messages: [["psk", "e"], ["e", "ee"]],
};

/** The protocol's name, which both sides hash before anything else. */
export function protocolName(pattern: NoisePattern): string {
  return `Noise_${pattern.name}_25519_AESGCM_SHA256`;
}

/** What a side agrees to besides {@linkcode NKPSK0}. */
export interface PatternOptions {
  /** Whether a session may go without the server's key: `--insecure-no-server-key`. Default no. */
  readonly insecureNoServerKey?: boolean;
}

/** The pattern that a client asked for by name; `undefined` for one that is not offered. */
export function patternOffered(
  name: string,
  { insecureNoServerKey = false }: PatternOptions = {},
): NoisePattern | undefined {
  if (name === NKPSK0.name) return NKPSK0;
  return insecureNoServerKey && name === NNPSK0.name ? NNPSK0 : undefined;
}
