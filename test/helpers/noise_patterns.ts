/** Every pattern that the vectors know, so that the state machine is tried beyond what is in use. */
import type { NoisePattern, NoiseToken } from "../../sync/noise/patterns.ts";

/** Name: which static keys are known beforehand (`i`, `r`), then the messages. */
const TABLE = `
N r: e es
K ir: e es ss
X r: e es s ss
NN: e / e ee
NK r: e es / e ee
NX: e / e ee s es
XN: e / e ee / s se
XK r: e es / e ee / s se
XX: e / e ee s es / s se
KN i: e / e ee se
KK ir: e es ss / e ee se
KX i: e / e ee se s es
IN: e s / e ee se
IK r: e es s ss / e ee se
IX: e s / e ee se s es
NK1 r: e / e ee es
NX1: e / e ee s / es
X1N: e / e ee / s / se
X1K r: e es / e ee / s / se
XK1 r: e / e ee es / s se
X1K1 r: e / e ee es / s / se
X1X: e / e ee s es / s / se
XX1: e / e ee s / es s se
X1X1: e / e ee s / es s / se
K1N i: e / e ee / se
K1K ir: e es / e ee / se
KK1 ir: e / e ee se es
K1K1 ir: e / e ee es / se
K1X i: e / e ee s es / se
KX1 i: e / e ee se s / es
K1X1 i: e / e ee s / se es
I1N: e s / e ee / se
I1K r: e es s / e ee / se
IK1 r: e s / e ee se es
I1K1 r: e s / e ee es / se
I1X: e s / e ee s es / se
IX1: e s / e ee se s / es
I1X1: e s / e ee s / se es
`;

const BASES = new Map(
  TABLE.trim().split("\n").map((line) => {
    const [head, body] = line.split(": ");
    const [name, known = ""] = head!.split(" ");
    const messages = body!.split(" / ").map((message) => message.split(" ") as NoiseToken[]);
    return [name!, { known, messages }];
  }),
);

/** The pattern with this name, with or without one `psk` modifier (section 9.4). */
export function patternNamed(name: string): NoisePattern {
  const [, base, at] = /^([A-Z0-9]+)(?:psk(\d))?$/.exec(name)!;
  const { known, messages } = BASES.get(base!)!;
  return {
    name,
    initiatorKnown: known.includes("i"),
    responderKnown: known.includes("r"),
    messages: messages.map((tokens, turn): NoiseToken[] => {
      if (at === "0" && turn === 0) return ["psk", ...tokens];
      return Number(at) === turn + 1 ? [...tokens, "psk"] : tokens;
    }),
  };
}
