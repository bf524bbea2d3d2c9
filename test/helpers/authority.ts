/** Certificates as tests need them, also bad ones, made by openssl. */
import assert from "node:assert/strict";
import { run } from "./real_server.ts";

/** What a certificate is to be. */
export interface CertificateWishes {
  /** As openssl has them, such as `DNS:localhost,IP:127.0.0.1`. */
  readonly names: string;
  /** Days from now; both may be negative. Default -1 and 30. */
  readonly from?: number;
  readonly until?: number;
}

/** Files of a certificate. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** An authority that nobody trusts unless told to. */
export interface Authority {
  /** Its own certificate. */
  readonly cert: string;
  issue(wishes: CertificateWishes): Promise<CertificateFiles>;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes an authority in `dir`, which must be there and is its own. */
export async function createAuthority(dir: string): Promise<Authority> {
  const cert = `${dir}/authority.pem`;
  const key = `${dir}/authority.key`;
  await openssl(
    "req",
    "-x509",
    ...NEW_KEY,
    "-keyout",
    key,
    "-out",
    cert,
    "-days",
    "30",
    "-subj",
    "/CN=test authority",
  );
  await Deno.writeTextFile(`${dir}/index`, "");
  let count = 0;
  return {
    cert,
    async issue({ names, from = -1, until = 30 }) {
      const path = `${dir}/${++count}`;
      await openssl(
        "req",
        "-new",
        ...NEW_KEY,
        "-keyout",
        `${path}.key`,
        "-out",
        `${path}.csr`,
        "-subj",
        `/CN=server ${count}`,
      );
      await Deno.writeTextFile(`${path}.cnf`, config(dir, names));
      const words = ["-startdate", date(from), "-enddate", date(until), "-keyfile", key];
      await openssl(
        "ca",
        "-batch",
        "-notext",
        "-rand_serial",
        "-config",
        `${path}.cnf`,
        "-cert",
        cert,
        ...words,
        "-in",
        `${path}.csr`,
        "-out",
        `${path}.pem`,
      );
      return { cert: `${path}.pem`, key: `${path}.key` };
    },
  };
}

function config(dir: string, names: string): string {
  return `[ca]
default_ca = test
[test]
database = ${dir}/index
new_certs_dir = ${dir}
serial = ${dir}/serial
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
[server]
basicConstraints = CA:FALSE
subjectAltName = ${names}
`;
}

/** YYYYMMDDHHMMSSZ, so many days from now. */
function date(days: number): string {
  const at = new Date(Date.now() + days * 86_400_000).toISOString();
  return `${at.replace(/\D/g, "").slice(0, 14)}Z`;
}

async function openssl(...words: string[]): Promise<void> {
  const { code, stderr } = await run(["openssl", ...words]);
  assert.equal(code, 0, stderr);
}
