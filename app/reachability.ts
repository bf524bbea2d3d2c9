/** Who can reach a server, in words. */

/** Where it listens. */
export interface Listening {
  readonly hostname: string;
  readonly port: number;
  readonly tls: boolean;
}

/** Whether only this machine can reach the address. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "").toLowerCase();
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The address for a client on this machine, without a slash at the end. */
export function urlOf({ hostname, port, tls }: Listening): string {
  const wildcard = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "::" ? "::1" : hostname;
  const host = wildcard.includes(":") ? `[${wildcard}]` : wildcard;
  return `${tls ? "https" : "http"}://${host}:${port}`;
}

/** What a person is told at the start: who can reach it, and how to change that. */
export function describeReach(listening: Listening): { notes: string[]; warnings: string[] } {
  if (isLoopback(listening.hostname)) {
    return {
      notes: [
        "only this machine can reach it",
        "to open it to others: serve --host 0.0.0.0 --tls-cert CERT --tls-key KEY",
      ],
      warnings: [],
    };
  }
  const everywhere = ["0.0.0.0", "::"].includes(listening.hostname);
  return {
    notes: [
      everywhere
        ? "every machine that has a route to this one can reach it"
        : `machines that have a route to ${listening.hostname} can reach it`,
      "they need a token: vitte-remote-cache token create NAME --allow read,write",
    ],
    warnings: listening.tls
      ? []
      : ["tokens and artifacts travel unencrypted: give --tls-cert and --tls-key"],
  };
}
