/** The certificate of a server: whether this machine trusts it, and if not, why. */
import tls from "node:tls";
import { abortable } from "../../core/abort.ts";
import { TOKEN_SOON_MS } from "../../core/limits.ts";
import { formatDuration } from "../../core/units.ts";
import type { Verdict } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";
import type { Target } from "./target.ts";
import { portOf, stepSignal } from "./target.ts";

/** What a server shows of itself. */
export interface TlsFacts {
  /** Whether the runtime, which all requests go through, accepts it. */
  readonly trusted: boolean;
  /** `undefined`: what answers there does not speak TLS. */
  readonly certificate: CertificateFacts | undefined;
}

/** What stands in a certificate. */
export interface CertificateFacts {
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
  readonly selfSigned: boolean;
  readonly nameMatches: boolean;
  /** Names that it is for, as it has them. */
  readonly names: string;
}

/** Looks at the certificate; sends nothing else. */
export async function inspectTls(target: Target): Promise<TlsFacts> {
  const hostname = target.url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = portOf(target.url);
  const certificate = await readCertificate(hostname, port, stepSignal(target));
  return { trusted: certificate ? await isTrusted(hostname, port) : false, certificate };
}

async function isTrusted(hostname: string, port: number): Promise<boolean> {
  try {
    using connection = await Deno.connectTls({ hostname, port });
    await connection.handshake();
    return true;
  } catch (thrown) {
    // Certificates that it refuses are this; anything else is no verdict on them.
    if (thrown instanceof Deno.errors.InvalidData) return false;
    throw thrown;
  }
}

async function readCertificate(
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<CertificateFacts | undefined> {
  const named = /^[\d.]+$|:/.test(host) ? {} : { servername: host };
  const { promise, resolve } = Promise.withResolvers<CertificateFacts | undefined>();
  // Not trusted here: it is only looked at, and nothing secret is sent.
  const socket = tls.connect({ host, port, rejectUnauthorized: false, ...named }, () => {
    resolve(factsOf(socket.getPeerCertificate(), host));
  });
  socket.on("error", () => resolve(undefined));
  socket.on("close", () => resolve(undefined));
  try {
    return await abortable(promise, signal);
  } finally {
    socket.destroy();
  }
}

function factsOf(certificate: tls.PeerCertificate, host: string): CertificateFacts {
  return {
    from: Date.parse(certificate.valid_from),
    until: Date.parse(certificate.valid_to),
    selfSigned: JSON.stringify(certificate.issuer) === JSON.stringify(certificate.subject),
    nameMatches: tls.checkServerIdentity(host, certificate) === undefined,
    names: certificate.subjectaltname ?? `CN ${certificate.subject.CN}`,
  };
}

/** Milliseconds before its end from which on a certificate is told: as for tokens. */
const SOON_MS = TOKEN_SOON_MS;

/** The verdict; `host` is the name that was asked for. */
export function judgeTls(facts: TlsFacts, host: string, now: number): Verdict {
  const { certificate, trusted } = facts;
  if (!certificate) {
    return failed(
      "what listens there does not speak TLS",
      "does the server have --tls-cert and --tls-key? if not, its address begins with http://",
    );
  }
  const { from, until, nameMatches, selfSigned, names } = certificate;
  const date = (at: number) => new Date(at).toISOString().slice(0, 10);
  if (until <= now) {
    return failed(
      `the certificate has expired on ${date(until)}`,
      "renew it and put the new files in place: serve reads them again by itself",
    );
  }
  if (from > now) {
    return failed(
      `the certificate is not valid before ${date(from)}`,
      "is the clock of this machine right? if so, the certificate was made with a wrong one",
    );
  }
  if (!nameMatches) {
    return failed(
      `the certificate is for other names than ${host}: ${names}`,
      "use a name that it is for in the address, or get one for this name",
    );
  }
  if (!trusted) {
    const state = selfSigned
      ? "the certificate is signed by itself, so nobody vouches for it"
      : "this machine does not know who signed the certificate";
    return failed(
      state,
      "give this machine the authority's certificate: DENO_CERT=ca.pem for this program, and the " +
        "tool's own setting for each build tool (or a certificate of a public authority)",
    );
  }
  const left = until - now;
  if (left < SOON_MS) {
    return warning(
      `the certificate expires in ${formatDuration(left)}`,
      "renew it; serve reads new files by itself",
    );
  }
  return ok(`good until ${date(until)}`);
}
